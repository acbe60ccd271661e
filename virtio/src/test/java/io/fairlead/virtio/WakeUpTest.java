package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Driver and device on two threads, each of which sleeps unless it is signalled: a notification suppressed wrongly, or a
 * barrier too few, and both sleep for ever.
 */
class WakeUpTest {
    private static final long WATCHDOG_SECONDS = 120;

    record Case(int size, long features, int requests) {
        @Override
        public String toString() {
            return "size " + size + " " + FeatureTable.COMMON.describe(features);
        }
    }

    static Stream<Case> cases() {
        long events = Feature.EVENT_IDX;
        long packed = Feature.RING_PACKED;
        long ordered = Feature.IN_ORDER;
        return Stream.of(
                new Case(1, 0, 5_000),
                new Case(1, packed | events, 5_000),
                new Case(4, events, 100_000),
                new Case(4, ordered, 100_000),
                new Case(256, events, 200_000),
                new Case(256, 0, 200_000),
                new Case(3, packed | events, 100_000),
                new Case(3, packed | ordered, 100_000),
                new Case(100, packed | events | ordered, 200_000),
                new Case(256, packed, 200_000));
    }

    static Stream<Case> longCases() {
        return cases().map(at -> new Case(at.size(), at.features(), at.requests() * 20));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void nobodySleepsForEver(Case at) throws InterruptedException {
        exchange(at);
    }

    @Tag("long")
    @ParameterizedTest
    @MethodSource("longCases")
    void nobodySleepsForEverForLong(Case at) throws InterruptedException {
        exchange(at);
    }

    private static void exchange(Case at) throws InterruptedException {
        try (Virtqueue queue = new Virtqueue(at.size(), Feature.VERSION_1 | at.features(), 0, 4096)) {
            Random random = new Random(42);
            QueueState state = Virtqueue.anyState(random, at.size(), Feature.has(at.features(), Feature.RING_PACKED));
            Semaphore kick = new Semaphore(0);
            Semaphore call = new Semaphore(0);
            AtomicReference<Throwable> failure = new AtomicReference<>();
            DriverQueue driver = DriverQueue.create(queue.rings, state);
            DeviceQueue device = queue.device(state);
            DescriptorChain chain = queue.newChain();
            Thread devices = new Thread(() -> guard(failure, () -> serve(device, chain, kick, call, at.requests())));
            Thread drivers = new Thread(() -> guard(failure, () -> drive(driver, kick, call, at.requests())));
            devices.start();
            drivers.start();
            drivers.join(TimeUnit.SECONDS.toMillis(WATCHDOG_SECONDS));
            boolean hangs = drivers.isAlive();
            drivers.interrupt();
            drivers.join();
            if (hangs || failure.get() != null) {
                devices.interrupt();
            }
            devices.join();
            assertThat(failure.get()).isNull();
            assertThat(hangs).as("both sides sleep").isFalse();
        }
    }

    private interface Side {
        void run() throws Exception;
    }

    private static void guard(AtomicReference<Throwable> failure, Side side) {
        try {
            side.run();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Exception | AssertionError e) {
            failure.compareAndSet(null, e);
        }
    }

    private static void drive(DriverQueue driver, Semaphore kick, Semaphore call, int requests) throws Exception {
        Random random = new Random(7);
        long[] address = {Virtqueue.DATA};
        int[] length = {64};
        long added = 0;
        int polled = 0;
        while (polled < requests) {
            int batch = random.nextInt(1, driver.size() + 1);
            for (int i = 0; i < batch && added < requests && driver.add(address, length, 0, 1, added); i++) {
                added++;
            }
            if (driver.publish()) {
                kick.release();
            }
            boolean any = false;
            while (driver.poll()) {
                if (driver.token() != polled || driver.writtenBytes() != polled % 64) {
                    throw new AssertionError("request " + polled + " came back as " + driver.token());
                }
                polled++;
                any = true;
            }
            if (any) {
                driver.disableInterrupts();
            } else if (driver.outstanding() > 0 && !driver.enableInterrupts()) {
                call.acquire();
                call.drainPermits();
            }
        }
    }

    private static void serve(DeviceQueue device, DescriptorChain chain, Semaphore kick, Semaphore call, int requests)
            throws Exception {
        Random random = new Random(8);
        int served = 0;
        while (served < requests) {
            int batch = random.nextInt(1, device.size() + 1);
            int done = 0;
            while (done < batch && device.next(chain)) {
                device.complete(chain, served % 64);
                served++;
                done++;
            }
            if (device.publish()) {
                call.release();
            }
            if (done > 0) {
                device.disableNotifications();
            } else if (!device.enableNotifications()) {
                kick.acquire();
                kick.drainPermits();
            }
        }
    }
}
