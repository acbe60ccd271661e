package io.fairlead.devices.scsi;

import io.fairlead.devices.base.CompletionQueue;
import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.WorkerTask;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.ScsiRequest;
import java.lang.foreign.MemorySegment;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * The control queue (virtio 1.4, 5.6.6.2): task management and subscriptions.
 *
 * <p>What the host was given to do cannot be taken back: an abort is answered when the commands that it means have come to
 * their own end, each answered before. So an answer says that nothing of them is under way any more, and a reset of a unit
 * whose storage hangs waits with it.
 */
final class ControlHandler implements QueueHandler {
    private final ScsiDevice device;
    private final QueueRunner runner;
    private final CompletionQueue completions;

    ControlHandler(ScsiDevice device, QueueRunner runner) {
        this.device = device;
        this.runner = runner;
        completions = new CompletionQueue(runner);
    }

    /** A request that is answered when commands have ended. */
    private final class Pending extends WorkerTask {
        private final DescriptorChain chain;
        private volatile int response;

        Pending(DescriptorChain chain) {
            this.chain = chain;
        }

        void done(int newResponse) {
            response = newResponse;
            completions.add(this);
        }

        @Override
        protected void run() {}

        @Override
        protected void finish() {
            answer(chain, response);
        }
    }

    @Override
    public void handle(DescriptorChain chain) throws GuestFaultException {
        if (chain.readableBytes() < ScsiRequest.EVENT_REQUEST_BYTES) {
            throw new GuestFaultException("a control request has %d bytes, and needs %d"
                    .formatted(chain.readableBytes(), ScsiRequest.EVENT_REQUEST_BYTES));
        }
        int type = chain.readInt(0);
        switch (type) {
            case ScsiRequest.CONTROL_TASK_MANAGEMENT -> manage(chain);
            case ScsiRequest.CONTROL_EVENT_QUERY, ScsiRequest.CONTROL_EVENT_SUBSCRIBE -> events(chain);
            default -> throw new GuestFaultException("a control request of type %d".formatted(type));
        }
    }

    /** Asynchronous notifications of media, of which disks have none (virtio 1.4, 5.6.6.2). */
    private void events(DescriptorChain chain) throws GuestFaultException {
        if (chain.writableBytes() < ScsiRequest.EVENT_ANSWER_BYTES) {
            throw new GuestFaultException("a request for events has no room for its answer");
        }
        int lun = ScsiRequest.lun(chain.readLong(ScsiRequest.EVENT_REQUEST_LUN_OFFSET));
        int response = lun < 0
                ? ScsiRequest.RESPONSE_BAD_TARGET
                : device.table().find(lun) == null
                        ? ScsiRequest.RESPONSE_INCORRECT_LUN
                        : ScsiRequest.RESPONSE_FUNCTION_COMPLETE;
        byte[] answer = new byte[ScsiRequest.EVENT_ANSWER_BYTES];
        answer[ScsiRequest.EVENT_ANSWER_BYTES - 1] = (byte) response;
        chain.write(0, MemorySegment.ofArray(answer), 0, answer.length);
        runner.statistics().countRequests(1, 0, 0);
        runner.complete(chain, ScsiRequest.EVENT_ANSWER_BYTES);
    }

    private void manage(DescriptorChain chain) throws GuestFaultException {
        if (chain.readableBytes() < ScsiRequest.TMF_BYTES || chain.writableBytes() < 1) {
            throw new GuestFaultException("task management has %d readable and %d writable bytes, and needs %d and 1"
                    .formatted(chain.readableBytes(), chain.writableBytes(), ScsiRequest.TMF_BYTES));
        }
        int subtype = chain.readInt(ScsiRequest.TMF_SUBTYPE_OFFSET);
        int lun = ScsiRequest.lun(chain.readLong(ScsiRequest.TMF_LUN_OFFSET));
        LogicalUnit unit = lun < 0 ? null : device.table().find(lun);
        if (lun < 0) {
            answer(chain, ScsiRequest.RESPONSE_BAD_TARGET);
        } else if (subtype == ScsiRequest.TMF_I_T_NEXUS_RESET) {
            await(
                    chain,
                    null,
                    OptionalLong.empty(),
                    () -> device.table().units().forEach(each -> {
                        each.reservations().unitReset();
                        each.attentions().addToAll(Sense.NEXUS_LOSS);
                    }));
        } else if (unit == null) {
            answer(chain, ScsiRequest.RESPONSE_INCORRECT_LUN);
        } else {
            manage(chain, unit, subtype);
        }
    }

    private void manage(DescriptorChain chain, LogicalUnit unit, int subtype) {
        OptionalLong tag = OptionalLong.of(chain.readLong(ScsiRequest.TMF_TAG_OFFSET));
        switch (subtype) {
            case ScsiRequest.TMF_ABORT_TASK -> await(chain, unit, tag, () -> {});
            case ScsiRequest.TMF_ABORT_TASK_SET, ScsiRequest.TMF_CLEAR_TASK_SET ->
                await(chain, unit, OptionalLong.empty(), () -> {});
            case ScsiRequest.TMF_LOGICAL_UNIT_RESET -> await(chain, unit, OptionalLong.empty(), unit::reset);
            case ScsiRequest.TMF_QUERY_TASK -> query(chain, unit, tag);
            case ScsiRequest.TMF_QUERY_TASK_SET -> query(chain, unit, OptionalLong.empty());
            // ACA is not known (NORMACA is 0), nor any function beyond these.
            default -> answer(chain, ScsiRequest.RESPONSE_FUNCTION_REJECTED);
        }
    }

    /** Answers when the commands meant have ended and something more is done. */
    private void await(DescriptorChain chain, @Nullable LogicalUnit unit, OptionalLong tag, Runnable then) {
        Pending pending = new Pending(chain);
        var _ = device.commands(unit, tag, true).thenAccept(_ -> {
            if (!runner.isFrozen()) {
                then.run();
            }
            pending.done(ScsiRequest.RESPONSE_FUNCTION_COMPLETE);
        });
    }

    private void query(DescriptorChain chain, LogicalUnit unit, OptionalLong tag) {
        Pending pending = new Pending(chain);
        var _ = device.commands(unit, tag, false)
                .thenAccept(found -> pending.done(
                        found ? ScsiRequest.RESPONSE_FUNCTION_SUCCEEDED : ScsiRequest.RESPONSE_FUNCTION_COMPLETE));
    }

    private void answer(DescriptorChain chain, int response) {
        if (!runner.isFrozen()) {
            chain.write(0, MemorySegment.ofArray(new byte[] {(byte) response}), 0, 1);
            runner.statistics().countRequests(1, 0, 0);
        }
        runner.complete(chain, 1);
    }

    @Override
    public boolean poll() {
        return completions.finishAll();
    }

    @Override
    public boolean hasWork() {
        return !completions.isEmpty();
    }
}
