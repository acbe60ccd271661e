package io.fairlead.devices.net;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.NetControl;
import java.lang.foreign.MemorySegment;

/** Does the commands of a driver's control queue, one after the other. */
final class ControlHandler implements QueueHandler {
    /** What a command does. */
    interface Commands {
        /** Whether it was done; where not, nothing has changed. */
        boolean apply(int commandClass, int command, byte[] data);
    }

    /** The longest data: more than two full tables of addresses that drivers send. */
    static final int MAX_DATA_BYTES = 64 << 10;

    private final QueueRunner runner;
    private final Commands commands;

    ControlHandler(QueueRunner runner, Commands commands) {
        this.runner = runner;
        this.commands = commands;
    }

    @Override
    public void handle(DescriptorChain chain) throws GuestFaultException {
        if (chain.readableBytes() < NetControl.HEADER_BYTES || chain.writableBytes() < 1) {
            throw new GuestFaultException("a control command is %d readable and %d writable bytes, not %d and 1 or more"
                    .formatted(chain.readableBytes(), chain.writableBytes(), NetControl.HEADER_BYTES));
        }
        boolean done = false;
        long dataBytes = chain.readableBytes() - NetControl.HEADER_BYTES;
        if (dataBytes <= MAX_DATA_BYTES) {
            byte[] header = new byte[NetControl.HEADER_BYTES];
            byte[] data = new byte[(int) dataBytes];
            chain.read(0, MemorySegment.ofArray(header), 0, header.length);
            chain.read(header.length, MemorySegment.ofArray(data), 0, data.length);
            done = commands.apply(header[0] & 0xff, header[1] & 0xff, data);
        }
        MemorySegment answer = MemorySegment.ofArray(new byte[] {(byte) (done ? NetControl.OK : NetControl.ERROR)});
        chain.write(0, answer, 0, 1);
        runner.statistics().countRequests(1, 1, dataBytes);
        if (!done) {
            runner.statistics().countFailedRequest();
        }
        runner.complete(chain, 1);
    }
}
