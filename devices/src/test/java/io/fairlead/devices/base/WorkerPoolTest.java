package io.fairlead.devices.base;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class WorkerPoolTest {
    private static final class Waiting extends WorkerTask {
        private final CountDownLatch begun;
        private final CountDownLatch gate;
        private final CountDownLatch ended;

        Waiting(CountDownLatch begun, CountDownLatch gate, CountDownLatch ended) {
            this.begun = begun;
            this.gate = gate;
            this.ended = ended;
        }

        @Override
        protected void run() {
            begun.countDown();
            try {
                gate.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            ended.countDown();
        }

        @Override
        protected void finish() {}
    }

    @Test
    void growsToItsLimitAndQueuesTheRest() throws InterruptedException {
        CountDownLatch begun = new CountDownLatch(4);
        CountDownLatch gate = new CountDownLatch(1);
        CountDownLatch ended = new CountDownLatch(10);
        try (WorkerPool pool = new WorkerPool("test", 4)) {
            assertThat(pool.threadCount()).isZero();
            TaskList tasks = new TaskList();
            for (int i = 0; i < 10; i++) {
                tasks.add(new Waiting(begun, gate, ended));
                if (i % 3 == 0) {
                    pool.submit(tasks);
                }
            }
            assertThat(tasks.size()).isZero();
            assertThat(begun.await(20, SECONDS)).isTrue();
            assertThat(pool.threadCount()).isEqualTo(4);
            gate.countDown();
            assertThat(ended.await(20, SECONDS)).isTrue();
        }
    }

    @Test
    void endsItsThreadsAfterWhatWasSubmitted() {
        CountDownLatch open = new CountDownLatch(0);
        CountDownLatch ended = new CountDownLatch(100);
        WorkerPool pool = new WorkerPool("test", 2);
        TaskList tasks = new TaskList();
        for (int i = 0; i < 100; i++) {
            tasks.add(new Waiting(open, open, ended));
        }
        pool.submit(tasks);
        pool.close();
        assertThat(ended.getCount()).isZero();
        assertThat(pool.threadCount()).isZero();
        assertThatThrownBy(() -> pool.submit(new TaskList())).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void listsKeepTheirOrder() {
        TaskList first = new TaskList();
        TaskList second = new TaskList();
        List<WorkerTask> all = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            CountDownLatch open = new CountDownLatch(0);
            WorkerTask task = new Waiting(open, open, open);
            all.add(task);
            (i < 2 ? first : second).add(task);
        }
        first.addAll(second);
        first.addAll(new TaskList());
        assertThat(second.poll()).isNull();
        List<WorkerTask> polled = new ArrayList<>();
        for (WorkerTask task = first.poll(); task != null; task = first.poll()) {
            polled.add(task);
        }
        assertThat(polled).isEqualTo(all);
    }
}
