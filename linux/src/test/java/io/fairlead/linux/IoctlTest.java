package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

class IoctlTest {
    private static final long FIONREAD = 0x541b;

    @Test
    void returnsTheValueOrTheError() throws IOException {
        List<UnixSocket> pair = UnixSocket.socketPair("pair");
        try (Mapping memory = Mapping.anonymous(64)) {
            pair.get(0).sendAll(memory.segment(), 0, 5, List.of());
            int raw = pair.get(1).fd().raw();
            long address = memory.segment().address();
            assertThat(Ioctl.call(raw, FIONREAD, address)).isZero();
            assertThat(memory.segment().get(JAVA_INT, 0)).isEqualTo(5);
            assertThat(Ioctl.call(raw, Ioctl.IO(0xaf, 0), address)).isEqualTo(-Errno.ENOTTY);
            assertThat(Ioctl.call(-1, FIONREAD, address)).isEqualTo(-Errno.EBADF);
            assertThat(Ioctl.call(raw, FIONREAD, 8)).isEqualTo(-Errno.EFAULT);
        } finally {
            pair.forEach(UnixSocket::close);
        }
    }

    @Test
    void refusesNumbersThatDoNotFit() {
        assertThatIllegalArgumentException().isThrownBy(() -> Ioctl.IO(256, 0));
        assertThatIllegalArgumentException().isThrownBy(() -> Ioctl.IOR(0, 256, 0));
        assertThatIllegalArgumentException().isThrownBy(() -> Ioctl.IOW(0, 0, 1 << 14));
        assertThatIllegalArgumentException().isThrownBy(() -> Ioctl.IOWR(0, 0, -1));
    }
}
