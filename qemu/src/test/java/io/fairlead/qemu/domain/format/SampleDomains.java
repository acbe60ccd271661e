package io.fairlead.qemu.domain.format;

/** Documents that several tests use. */
public final class SampleDomains {
    private SampleDomains() {}

    /** A bit of everything that is taken, with things besides that are kept. */
    public static final String FULL = """
            <domain type='qemu' id='7'>
              <name>full</name>
              <uuid>C7A5FDBD-EDAF-9455-926A-D65C16DB1809</uuid>
              <title>A machine</title>
              <description>With
            two lines</description>
              <metadata>
                <app:note xmlns:app="urn:app" app:by="x">kept <b>as</b> it is</app:note>
                <fairlead:devices xmlns:fairlead="urn:fairlead:domain:1">
                  <fairlead:device alias="ua-direct" mode="direct"/>
                </fairlead:devices>
              </metadata>
              <memory unit='MiB'>256</memory>
              <currentMemory unit='KiB'>262144</currentMemory>
              <memtune><hard_limit unit='GiB'>2</hard_limit></memtune>
              <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>
              <vcpu placement='static' current='2'>4</vcpu>
              <cpu mode='custom' match='exact'>
                <model fallback='forbid'>qemu64</model>
                <topology sockets='1' cores='2' threads='2'/>
                <feature policy='disable' name='avx2'/>
              </cpu>
              <os>
                <type arch='x86_64' machine='q35'>hvm</type>
                <boot dev='hd'/>
                <boot dev='network' odd='1'/>
              </os>
              <features><acpi/><apic/><vmport state='off'/><hyperv mode='custom'><relaxed state='on'/></hyperv></features>
              <clock offset='localtime'><timer name='rtc' tickpolicy='catchup'/></clock>
              <on_poweroff>destroy</on_poweroff>
              <on_reboot>restart</on_reboot>
              <on_crash>preserve</on_crash>
              <devices>
                <emulator>/usr/bin/qemu-system-x86_64</emulator>
                <controller type='pci' index='0' model='pcie-root'/>
                <controller type='scsi' index='0' model='virtio-scsi'><driver queues='2'/></controller>
                <disk type='file' device='disk'>
                  <driver name='qemu' type='qcow2' cache='none' io='io_uring' discard='unmap' queues='2'/>
                  <source file='/images/a.qcow2' index='3'><reservations managed='no'/></source>
                  <target dev='vda' bus='virtio'/>
                  <iotune><total_iops_sec>1000</total_iops_sec><read_bytes_sec_max>1048576</read_bytes_sec_max></iotune>
                  <serial>abc-1</serial>
                </disk>
                <disk type='block' device='disk'>
                  <driver type='raw'/><source dev='/dev/vg/lv'/><target dev='sda' bus='scsi'/><readonly/><shareable/>
                  <address type='drive' controller='0' bus='0' target='0' unit='1'/>
                </disk>
                <disk type='network' device='disk'>
                  <source protocol='nbd' name='exp'><host name='127.0.0.1' port='10810'/></source>
                  <target dev='vdb' bus='virtio'/>
                </disk>
                <disk type='network' device='disk'>
                  <source protocol='nbd'><host transport='unix' socket='/run/nbd.sock'/></source>
                  <target dev='vdc' bus='virtio'/>
                </disk>
                <disk device='cdrom'><target dev='sdb' bus='sata'/></disk>
                <disk type='vhostuser' device='disk'>
                  <source type='unix' path='/run/d.sock'><reconnect enabled='yes' timeout='3'/></source>
                  <target dev='vdd' bus='virtio'/>
                </disk>
                <disk type='vhostvdpa'><source dev='/dev/vhost-vdpa-1'/><target dev='vde' bus='virtio'/></disk>
                <disk type='generic-vdpa'><source dev='blk-disk0'/><target dev='vdf'/><boot order='1'/></disk>
                <interface type='user'><mac address='52:54:00:AA:bb:01'/><model type='e1000e'/><mtu size='1400'/></interface>
                <interface type='bridge'><source bridge='br0'/><target dev='tap0'/><driver queues='4'/><filterref filter='f'/></interface>
                <interface type='ethernet'><target dev='tap1' managed='no'/></interface>
                <interface type='vhostuser'><source type='unix' path='/run/n.sock' mode='client'/></interface>
                <interface type='vdpa'><source dev='/dev/vhost-vdpa-2'/></interface>
                <interface type='generic-vdpa'><source dev='net-52:54:00:00:00:09'/></interface>
                <filesystem type='mount' accessmode='passthrough'>
                  <driver type='virtiofs' queue='1024'/><binary path='/usr/libexec/virtiofsd'/>
                  <source dir='/srv/share'/><target dir='share'/><readonly/>
                </filesystem>
                <filesystem type='mount'><driver type='virtiofs'/><source socket='/run/fs.sock'/><target dir='other'/></filesystem>
                <serial type='pty'><target type='isa-serial' port='0'><model name='isa-serial'/></target></serial>
                <serial type='file'><source path='/log/serial' append='on'/></serial>
                <serial type='tcp'><source mode='bind' host='127.0.0.1' service='4555'/><protocol type='telnet'/></serial>
                <console type='pty'><target type='serial' port='0'/></console>
                <channel type='unix'><source mode='bind' path='/run/ga.sock'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
                <channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>
                <input type='tablet' bus='usb'/>
                <input type='keyboard' bus='ps2'/>
                <graphics type='vnc' port='-1' autoport='yes'><listen type='address' address='127.0.0.1'/></graphics>
                <graphics type='spice'/>
                <video><model type='virtio' heads='1' primary='yes'/></video>
                <hostdev mode='subsystem' type='vdpa'><source dev='/dev/vhost-vdpa-0'/><alias name='ua-direct'/></hostdev>
                <hostdev mode='subsystem' type='vdpa'><source dev='scsi-one'/></hostdev>
                <hostdev mode='subsystem' type='pci' managed='yes'>
                  <driver name='vdpa'/><source><address domain='0x0000' bus='0x06' slot='0x02' function='0x1'/></source>
                </hostdev>
                <hostdev mode='subsystem' type='pci' managed='yes'>
                  <source><address domain='0' bus='7' slot='0' function='0'/></source>
                  <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>
                </hostdev>
                <rng model='virtio'><rate bytes='1024' period='1000'/><backend model='random'>/dev/urandom</backend></rng>
                <rng model='virtio'><backend model='builtin'/></rng>
                <memballoon model='virtio' freePageReporting='on'><stats period='10'/></memballoon>
                <vsock model='virtio'><cid auto='no' address='77'/></vsock>
                <watchdog model='itco' action='reset'/>
                <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
              </devices>
              <seclabel type='none'/>
              <qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
                <qemu:arg value='-global'/><qemu:arg value='x.y=z'/><qemu:env name='A_B' value='c'/>
              </qemu:commandline>
            </domain>
            """;

    /** The least that a domain is, with devices. */
    public static String with(String devices) {
        return """
                <domain type='qemu'>
                  <name>small</name>
                  <memory unit='MiB'>64</memory>
                  <os><type arch='x86_64' machine='q35'>hvm</type></os>
                  <features><acpi/></features>
                  <devices>
                %s
                  </devices>
                </domain>
                """.formatted(devices);
    }
}
