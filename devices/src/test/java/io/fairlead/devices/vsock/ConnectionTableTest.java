package io.fairlead.devices.vsock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ConnectionTableTest {
    private static final int CAPACITY = 20;

    /** Beside a map that does the same, with ports that meet in the same places. */
    @Test
    void findsWhatIsThere() {
        Random random = new Random(8);
        ConnectionTable table = new ConnectionTable(CAPACITY);
        Map<Long, Connection> model = new HashMap<>();
        for (int i = 0; i < 100_000; i++) {
            int hostPort = random.nextInt(4) - 2;
            int guestPort = random.nextInt(16) << 28;
            long key = (long) hostPort << 32 | Integer.toUnsignedLong(guestPort);
            Connection known = model.get(key);
            assertThat(table.find(hostPort, guestPort)).isSameAs(known);
            if (known != null && random.nextInt(2) == 0) {
                table.remove(known);
                model.remove(key);
            } else if (known == null && model.size() < CAPACITY) {
                Connection connection = connection(hostPort, guestPort);
                table.add(connection);
                model.put(key, connection);
            }
        }
        assertThat(model).isNotEmpty();
        assertThatThrownBy(() -> table.remove(connection(7, 7))).hasMessageContaining("host port 7, guest port 7");
    }

    private static Connection connection(int hostPort, int guestPort) {
        Connection connection = new Connection(null, null, Connection.State.OPEN);
        connection.hostPort = hostPort;
        connection.guestPort = guestPort;
        return connection;
    }
}
