package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Runs in an L1 host: a guest under KVM ("L2") moves under traffic between network cards of the kernel and Fairlead's own,
 * there and back, between two nodes of this process. Prints a row of the matrix for each pair.
 */
final class KernelNetMoves {
    private final VendorHosts.Guests guests;
    private final Path folder;

    private KernelNetMoves(Testbed testbed, Path folder) {
        guests = VendorHosts.Guests.inL1(testbed);
        this.folder = folder;
    }

    /** @param arguments pairs such as {@code sim,fairlead}, each its own guest */
    public static void main(String[] arguments) throws Exception {
        Path folder = Files.createTempDirectory("net-moves");
        try (Testbed testbed = Lab.TESTBED.forL2Guests()) {
            for (String pair : arguments) {
                Path own = Files.createDirectory(folder.resolve(pair.replace(',', '-')));
                new KernelNetMoves(testbed, own).thereAndBack(pair);
            }
        }
        System.out.println("DONE");
        // Nothing is to be waited for.
        System.exit(0);
    }

    private void thereAndBack(String pair) throws Exception {
        List<NetKind> kinds = new ArrayList<>();
        for (String word : pair.split(",", -1)) {
            kinds.add(kind(word, kinds.size()));
        }
        boolean talks = kinds.stream().noneMatch(NetKind::loops);
        List<VendorHosts.Move> moves = new ArrayList<>();
        AtomicBoolean goesOn = new AtomicBoolean(true);
        Lab.report("%s to %s: starts", kinds.getFirst(), kinds.getLast());
        try (NetHosts hosts = new NetHosts(folder, kinds, guests)) {
            Lab.report("the guest is under load");
            hosts.load();
            Lab.report("%s", hosts.received());
            assertThat(hosts.relayedRequests())
                    .as("packets that were not the device's alone, before any migration")
                    .isZero();
            FutureTask<Long> talk = talks ? talk(goesOn) : null;
            for (int i = 0; i < 2; i++) {
                moves.add(hosts.move());
                hosts.load();
            }
            goesOn.set(false);
            long compared = talk == null ? 0 : talk.get(Lab.PATIENCE.toSeconds(), TimeUnit.SECONDS);
            NetHosts.Received received = hosts.end();
            String verified = talks
                    ? "%,d KiB by TCP, %d pings".formatted(compared >> 10, received.answers())
                    : "%d pings, %d frames".formatted(received.answers(), received.frames());
            System.out.println(KernelMoves.ROW
                    + MatrixTable.pair(kinds.getFirst(), kinds.getLast(), MatrixTable.figures(moves, verified)));
        } finally {
            goesOn.set(false);
        }
    }

    /** A TCP connection to the guest, from now on; every byte that comes back is compared. */
    private static FutureTask<Long> talk(AtomicBoolean goesOn) throws InterruptedException, IOException {
        CountDownLatch connected = new CountDownLatch(1);
        Callable<Long> check = () ->
                EchoCheck.talk(new InetSocketAddress(NetHosts.GUEST, NetHosts.PORT), goesOn::get, connected::countDown);
        FutureTask<Long> talk = new FutureTask<>(check);
        Thread.ofPlatform().daemon().start(talk);
        if (!connected.await(Lab.PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
            throw new IOException("the guest takes no connection");
        }
        return talk;
    }

    private static NetKind kind(String word, int host) {
        return switch (word) {
            case "fairlead" -> NetKind.fairlead();
            case "sim" -> NetKind.simulator();
            case "vp" -> NetKind.virtioPci("0000:00:%02x.0".formatted(KernelNetLab.CARD_SLOT + host));
            default -> throw new IllegalArgumentException(word + " is no network card");
        };
    }
}
