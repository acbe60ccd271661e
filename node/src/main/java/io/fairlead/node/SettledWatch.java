package io.fairlead.node;

import io.fairlead.node.channel.NodeChannel;
import io.fairlead.node.journal.Step;
import io.fairlead.node.migration.DestinationMigration;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Requests that are carried over wait until the source works on none of them any more. Where the source's node was cut off
 * before it said so, this finds out whether its process is gone: nobody listens at its port any more. A node that still
 * listens comes back by itself and says it.
 */
final class SettledWatch {
    private static final Logger LOG = LoggerFactory.getLogger(SettledWatch.class);
    private static final int TIMEOUT_MILLIS = 2000;
    private static final long PAUSE_MILLIS = 500;

    private SettledWatch() {}

    static void start(DestinationMigration migration, NodeChannel channel) {
        if (migration.isSettled() || migration.step() == Step.ABORTED) {
            return;
        }
        InetSocketAddress source = channel.peerListen();
        if (source == null) {
            LOG.warn(
                    "node {} said not where it listens; carried requests wait until it comes back",
                    channel.peer().node());
            return;
        }
        Thread _ = Thread.ofVirtual().name("fairlead-settled").start(() -> watch(migration, source));
    }

    private static void watch(DestinationMigration migration, InetSocketAddress source) {
        boolean said = false;
        while (!migration.isSettled() && migration.step() != Step.ABORTED) {
            try (Socket socket = new Socket()) {
                socket.connect(source, TIMEOUT_MILLIS);
            } catch (ConnectException e) {
                LOG.warn("the source's node at {} is gone: carried requests go ahead", source);
                migration.settled();
                return;
            } catch (IOException e) {
                if (!said) {
                    LOG.warn(
                            "carried requests wait: the source's node at {} cannot be asked: {}",
                            source,
                            e.getMessage());
                    said = true;
                }
            }
            try {
                Thread.sleep(PAUSE_MILLIS);
            } catch (InterruptedException e) {
                return;
            }
        }
    }
}
