package io.fairlead.kernel.management;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceAttributesTest {
    @ParameterizedTest
    @CsvSource({
        "mac,52:54:00:12:34, is not an address",
        "mac,52-54-00-12-34-56, is not an address",
        "mac,52:54:00:12:34:5g, is not an address",
        "mac,52:54:00:12:34:56:78, is not an address",
        "mtu,65536,65536 is not a number from 0 to 65535",
        "mtu,-1,-1 is not a number from 0 to 65535",
        "mtu,big,'''big'' is not a number'",
        "max_vqp,70000,70000 is not a number",
        "device_features,0xg, is not a hexadecimal number",
        "device_features,0x10000000000000000, is not a hexadecimal number",
        "colour,red,'unknown attribute ''colour''; kernel devices have mac, mtu, max_vqp, device_features'"
    })
    void mistakesSayWhatIsWrong(String name, String value, String message) {
        assertThatThrownBy(() -> DeviceAttributes.parse(Map.of(name, value)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message.strip());
    }

    @Test
    void featuresAreHexadecimalAsIproute2HasThem() {
        assertThat(DeviceAttributes.parse(Map.of("device_features", "300020000"))
                        .features())
                .hasValue(0x300020000L);
        assertThat(DeviceAttributes.parse(Map.of("device_features", "0xffffffffffffffff"))
                        .features())
                .hasValue(-1);
        assertThat(DeviceAttributes.parse(Map.of())).isEqualTo(DeviceAttributes.NONE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/", "pci/", "/x", "a/b/c"})
    void namesThatNoManagementDeviceHas(String name) {
        assertThatThrownBy(() -> ManagementDeviceName.parse(name))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("no name of a management device");
    }
}
