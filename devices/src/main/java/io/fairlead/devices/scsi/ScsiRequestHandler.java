package io.fairlead.devices.scsi;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.storage.StorageQueue;
import io.fairlead.devices.storage.StorageTask;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.ScsiConfig;
import io.fairlead.virtio.ScsiRequest;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The commands of one request queue (virtio 1.4, 5.6.6.1). Those that need no storage are done at once, and so are never
 * in flight when a queue stops without waiting; the others, which may be done twice, by the queue's {@link StorageQueue}.
 */
final class ScsiRequestHandler implements QueueHandler {
    /** The transport has one initiator. */
    private static final int NEXUS = 0;

    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Who waits for commands, and how far the ring has been looked at since. */
    private static final class Waiting {
        private final CommandsEnd end;
        private boolean roundBegun;
        private int taken;

        Waiting(CommandsEnd end) {
            this.end = end;
        }
    }

    private final ScsiDevice device;
    private final QueueRunner runner;
    private final StorageQueue queue;
    private final boolean mayBoth;
    private final int queueSize;
    private final Command command = new Command();
    private final MemorySegment cdb = MemorySegment.ofArray(command.cdbBytes);
    private final MemorySegment parameters = MemorySegment.ofArray(command.parameterBytes);
    private final MemorySegment reply = MemorySegment.ofArray(command.replyBytes);
    private final byte[] responseBytes = new byte[ScsiRequest.SENSE_OFFSET + Sense.FIXED_BYTES];
    private final MemorySegment response = MemorySegment.ofArray(responseBytes);
    private final ByteBuffer senseBuffer = ByteBuffer.wrap(responseBytes);

    /** One a slot that was used. */
    private final List<ScsiTask> tasks = new ArrayList<>();

    private final List<Waiting> waiting = new ArrayList<>();
    /** Of the command that is looked at: where its data to the device begins in its readable bytes. */
    private int dataOut;

    /** Of the command that is looked at: room for its sense. */
    private int senseBytes;

    private int taken;
    private boolean stopped;

    ScsiRequestHandler(ScsiDevice device, QueueRunner runner, long features, int queueSize, boolean mayUseRing) {
        this.device = device;
        this.runner = runner;
        this.queueSize = queueSize;
        queue = new StorageQueue(runner, mayUseRing);
        mayBoth = Feature.has(features, ScsiConfig.F_INOUT);
    }

    // ---- taking a command ----

    @Override
    public void handle(DescriptorChain chain) throws GuestFaultException {
        taken++;
        // The driver may change both at any time.
        int cdbBytes = device.cdbBytes();
        dataOut = ScsiRequest.CDB_OFFSET + cdbBytes;
        senseBytes = device.senseBytes();
        long out = chain.readableBytes() - dataOut;
        long in = chain.writableBytes() - dataIn();
        if (out < 0 || in < 0) {
            throw new GuestFaultException("a command has %d readable and %d writable bytes, and needs %d and %d"
                    .formatted(chain.readableBytes(), chain.writableBytes(), dataOut, dataIn()));
        }
        int lun = ScsiRequest.lun(chain.readLong(ScsiRequest.LUN_OFFSET));
        if (lun < 0) {
            answer(chain, ScsiRequest.RESPONSE_BAD_TARGET, Command.GOOD, null, 0, Math.max(in, out));
            return;
        }
        if (out > 0 && in > 0 && !mayBoth) {
            answer(chain, ScsiRequest.RESPONSE_FAILURE, Command.GOOD, null, 0, out);
            return;
        }
        Arrays.fill(command.cdbBytes, (byte) 0);
        chain.read(ScsiRequest.CDB_OFFSET, cdb, 0, Math.min(cdbBytes, Command.CDB_BYTES));
        command.begin(NEXUS);
        LunTable table = device.table();
        LogicalUnit unit = table.find(lun);
        if (!UnitCommands.mayBegin(unit, command)) {
            answerCommand(chain, 0, Math.max(in, out));
            return;
        }
        MediumCommands.Kind kind = MediumCommands.kind(command.opcode());
        if (kind == null) {
            direct(chain, table, unit, in, out);
        } else if (unit != null) {
            medium(chain, unit, kind, in, out);
        }
    }

    /** Where the data from the device begins in the writable bytes. */
    private int dataIn() {
        return ScsiRequest.SENSE_OFFSET + senseBytes;
    }

    /** A command that needs no storage, but perhaps a flush at its end. */
    private void direct(DescriptorChain chain, LunTable table, @Nullable LogicalUnit unit, long in, long out) {
        CommandTable.Entry entry = CommandTable.find(command.opcode(), command.action());
        if (entry == null) {
            throw new IllegalStateException("began without an entry");
        }
        long length = entry.lengthBytes() == 0 ? 0 : command.number(entry.lengthOffset(), entry.lengthBytes());
        boolean isOut = entry.data() == CommandTable.Data.OUT;
        if (isOut ? !takeParameters(chain, length, out) : length > in) {
            answer(chain, ScsiRequest.RESPONSE_OVERRUN, Command.GOOD, null, 0, Math.max(in, out));
            return;
        }
        boolean known = UnitCommands.execute(table, unit, command);
        if (!known) {
            throw new IllegalStateException("operation code 0x%x is in the table alone".formatted(command.opcode()));
        }
        if (unit != null && command.isGood() && command.flushes()) {
            start(chain, task(chain).flush(unit).command(unit.storage(), 0).durable(true), unit);
            return;
        }
        long count = command.reply().position();
        if (entry.data() == CommandTable.Data.IN) {
            count = Math.min(count, length);
        } else if (count > in) {
            answer(chain, ScsiRequest.RESPONSE_OVERRUN, Command.GOOD, null, 0, Math.max(in, out));
            return;
        }
        if (count > 0) {
            chain.write(dataIn(), reply, 0, (int) count);
        }
        answerCommand(chain, isOut && command.isGood() ? length : count, Math.max(in, out));
    }

    /**
     * Reads the initiator's parameters.
     *
     * @return false where it has less than its CDB says
     */
    private boolean takeParameters(DescriptorChain chain, long length, long out) {
        if (length > out) {
            return false;
        }
        int count = (int) Math.min(length, Command.PARAMETER_BYTES);
        chain.read(dataOut, parameters, 0, count);
        command.parameters().clear().limit(count);
        return true;
    }

    private void medium(DescriptorChain chain, LogicalUnit unit, MediumCommands.Kind kind, long in, long out) {
        long given = Math.max(in, out);
        if (kind == MediumCommands.Kind.UNMAP && !takeParameters(chain, command.u16(7), out)) {
            answer(chain, ScsiRequest.RESPONSE_OVERRUN, Command.GOOD, null, 0, given);
            return;
        }
        if (!MediumCommands.mayBegin(unit, kind, command)) {
            answerCommand(chain, 0, given);
            return;
        }
        long byteCount = MediumCommands.dataBytes(unit, kind, command);
        if (byteCount > (kind == MediumCommands.Kind.READ ? in : out)) {
            answer(chain, ScsiRequest.RESPONSE_OVERRUN, Command.GOOD, null, 0, given);
            return;
        }
        switch (kind) {
            case READ -> read(chain, unit, byteCount, given);
            case WRITE -> write(chain, unit, byteCount, given);
            default -> {
                boolean durable = kind == MediumCommands.Kind.SYNCHRONIZE
                        || (kind != MediumCommands.Kind.VERIFY && !unit.writeBack());
                StorageTask task = task(chain)
                        .of(unit, kind, command)
                        .command(unit.storage(), kind == MediumCommands.Kind.UNMAP ? command.u16(7) : byteCount)
                        .durable(durable);
                start(chain, task, unit);
            }
        }
    }

    private void read(DescriptorChain chain, LogicalUnit unit, long byteCount, long given) {
        int at = dataIn();
        long offset = MediumCommands.block(command) << unit.blockShift();
        if (byteCount == 0 || queue.readCached(unit.storage(), chain, at, offset, byteCount)) {
            answer(chain, ScsiRequest.RESPONSE_OK, Command.GOOD, null, byteCount, given);
            return;
        }
        StorageTask task =
                task(chain).of(unit, MediumCommands.Kind.READ, command).read(unit.storage(), offset, byteCount, at);
        if (queue.tryNow(task)) {
            answer(chain, ScsiRequest.RESPONSE_OK, Command.GOOD, null, byteCount, given);
        } else {
            start(chain, task, unit);
        }
    }

    private void write(DescriptorChain chain, LogicalUnit unit, long byteCount, long given) {
        if (byteCount == 0) {
            answer(chain, ScsiRequest.RESPONSE_OK, Command.GOOD, null, 0, given);
            return;
        }
        long offset = MediumCommands.block(command) << unit.blockShift();
        StorageTask task = task(chain)
                .of(unit, MediumCommands.Kind.WRITE, command)
                .write(unit.storage(), offset, byteCount, dataOut)
                .durable(MediumCommands.forcesUnitAccess(command) || !unit.writeBack());
        if (queue.tryNow(task)) {
            answer(chain, ScsiRequest.RESPONSE_OK, Command.GOOD, null, byteCount, given);
        } else {
            start(chain, task, unit);
        }
    }

    private ScsiTask task(DescriptorChain chain) {
        if (chain.attachment() instanceof ScsiTask task) {
            return task;
        }
        ScsiTask task = new ScsiTask(this, queue, chain);
        chain.attachment(task);
        tasks.add(task);
        return task;
    }

    private void start(DescriptorChain chain, StorageTask task, LogicalUnit unit) {
        ((ScsiTask) task).begin(chain.readLong(ScsiRequest.TAG_OFFSET), dataOut, senseBytes);
        queue.start(task, unit.workers());
    }

    // ---- ending a command ----

    /** The storage is done with a command. */
    void finish(ScsiTask task) {
        DescriptorChain chain = task.chain();
        senseBytes = task.senseBytes();
        long given = Math.max(chain.writableBytes() - dataIn(), chain.readableBytes() - task.dataOffset());
        if (task.result() != 0) {
            device.reportError(task.unit(), task.kind(), -task.result());
            runner.statistics().countFailedRequest();
            Sense sense = MediumCommands.sense(task.kind(), -task.result());
            answer(chain, ScsiRequest.RESPONSE_OK, Command.CHECK_CONDITION, sense, 0, given);
        } else if (task.miscompares()) {
            answer(chain, ScsiRequest.RESPONSE_OK, Command.CHECK_CONDITION, Sense.MISCOMPARE, 0, given);
        } else {
            answer(chain, ScsiRequest.RESPONSE_OK, Command.GOOD, null, task.byteCount(), given);
        }
    }

    private void answerCommand(DescriptorChain chain, long transferred, long given) {
        answer(chain, ScsiRequest.RESPONSE_OK, command.status(), command.sense(), transferred, given);
    }

    /** Writes the response and gives the command back. */
    private void answer(
            DescriptorChain chain, int code, int status, @Nullable Sense sense, long transferred, long given) {
        long in = chain.writableBytes() - dataIn();
        int count = ScsiRequest.SENSE_OFFSET;
        int senseCount = 0;
        if (sense != null) {
            sense.putFixed(senseBuffer.position(ScsiRequest.SENSE_OFFSET));
            senseCount = Math.min(Sense.FIXED_BYTES, senseBytes);
            count += senseCount;
        }
        response.set(LE_INT, ScsiRequest.SENSE_COUNT_OFFSET, senseCount);
        response.set(LE_INT, ScsiRequest.RESIDUAL_OFFSET, (int) Math.max(0, given - transferred));
        responseBytes[ScsiRequest.STATUS_OFFSET] = (byte) status;
        responseBytes[ScsiRequest.RESPONSE_OFFSET] = (byte) code;
        chain.write(0, response, 0, count);
        boolean isRead = in > 0;
        runner.statistics().countRequests(1, isRead ? transferred : 0, isRead ? 0 : transferred);
        // With an error some of the data may have been written before it.
        boolean isWhole = code == ScsiRequest.RESPONSE_OK && status == Command.GOOD;
        runner.complete(chain, isWhole ? dataIn() + Math.min(in, transferred) : chain.writableBytes());
    }

    // ---- who waits for commands ----

    /** Has somebody wait for the commands that were sent before this call. On the loop; already held once. */
    void await(CommandsEnd end) {
        if (stopped) {
            end.letGo();
            return;
        }
        waiting.add(new Waiting(end));
        runner.wake();
    }

    /** Runs {@link #await} on the queue's loop. Any thread. */
    void awaitOnLoop(CommandsEnd end) {
        end.hold();
        runner.loop().execute(() -> await(end));
    }

    /** What was in the ring when somebody began to wait has been taken when the ring was seen empty, or once around. */
    private void lookAtWaiting() {
        for (Iterator<Waiting> all = waiting.iterator(); all.hasNext(); ) {
            Waiting each = all.next();
            each.taken += taken;
            if (each.roundBegun && (taken < QueueRunner.BATCH_REQUESTS || each.taken >= queueSize)) {
                settle(each);
                all.remove();
            }
            each.roundBegun = true;
        }
    }

    private void settle(Waiting each) {
        tasks.forEach(task -> task.watch(each.end));
        each.end.letGo();
    }

    @Override
    public void endBatch() {
        queue.endBatch();
    }

    @Override
    public boolean poll() {
        if (!waiting.isEmpty()) {
            lookAtWaiting();
        }
        taken = 0;
        return queue.poll();
    }

    @Override
    public boolean hasWork() {
        return !waiting.isEmpty() || queue.hasWork();
    }

    @Override
    public void stopped() {
        stopped = true;
        waiting.forEach(this::settle);
        waiting.clear();
        queue.stopped();
        device.stopped(this);
    }
}
