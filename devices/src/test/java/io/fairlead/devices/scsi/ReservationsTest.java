package io.fairlead.devices.scsi;

import static io.fairlead.devices.scsi.Reservations.EXCLUSIVE_ACCESS;
import static io.fairlead.devices.scsi.Reservations.EXCLUSIVE_ACCESS_ALL;
import static io.fairlead.devices.scsi.Reservations.EXCLUSIVE_ACCESS_REGISTRANTS;
import static io.fairlead.devices.scsi.Reservations.WRITE_EXCLUSIVE;
import static io.fairlead.devices.scsi.Reservations.WRITE_EXCLUSIVE_ALL;
import static io.fairlead.devices.scsi.Reservations.WRITE_EXCLUSIVE_REGISTRANTS;
import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.storage.StubStorage;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Several initiators of one unit. The transport has one; the unit does not know. */
class ReservationsTest {
    private static final int GOOD = Command.GOOD;
    private static final int CONFLICT = Command.RESERVATION_CONFLICT;
    private static final int CHECK = Command.CHECK_CONDITION;
    private static final int A = 0;
    private static final int B = 1;
    private static final int C = 2;
    private static final long KEY_A = 0xa;
    private static final long KEY_B = 0xb;
    private static final long KEY_C = 0xc;

    private final StubStorage storage = new StubStorage();
    private final LogicalUnit unit = new LogicalUnit("s", LunSettings.of(0, Path.of("stub")), storage);
    private final LunTable table = LunTable.EMPTY.with(unit);
    private final Command command = new Command();

    @BeforeEach
    void clearAttentions() {
        for (int nexus = 0; nexus < UnitAttentions.MAX_NEXUSES; nexus++) {
            unit.attentions().set(nexus, List.of());
        }
    }

    @AfterEach
    void close() {
        unit.close();
        storage.arena.close();
    }

    /** The status of a command; of one that touches the medium, whether it may begin. */
    private int run(int nexus, int... cdb) {
        command.begin(nexus);
        for (int i = 0; i < Command.CDB_BYTES; i++) {
            command.cdbBytes[i] = i < cdb.length ? (byte) cdb[i] : 0;
        }
        if (UnitCommands.mayBegin(unit, command)) {
            UnitCommands.execute(table, unit, command);
        }
        return command.status();
    }

    private int out(int nexus, int action, int type, long key, long otherKey) {
        ByteBuffer parameters = command.parameters();
        command.begin(nexus);
        parameters.clear().putLong(0, key).putLong(8, otherKey).putLong(16, 0).limit(24);
        byte[] cdb = {Opcode.PERSISTENT_RESERVE_OUT, (byte) action, (byte) type, 0, 0, 0, 0, 0, 24};
        System.arraycopy(cdb, 0, command.cdbBytes, 0, cdb.length);
        command.cdbBytes[9] = 0;
        if (UnitCommands.mayBegin(unit, command)) {
            UnitCommands.execute(table, unit, command);
        }
        return command.status();
    }

    private int register(int nexus, long key, long newKey) {
        return out(nexus, ReservationCommands.REGISTER, 0, key, newKey);
    }

    private int reserve(int nexus, long key, int type) {
        return out(nexus, ReservationCommands.RESERVE, type, key, 0);
    }

    private int release(int nexus, long key, int type) {
        return out(nexus, ReservationCommands.RELEASE, type, key, 0);
    }

    private int preempt(int nexus, long key, long otherKey, int type) {
        return out(nexus, ReservationCommands.PREEMPT, type, key, otherKey);
    }

    private int read(int nexus) {
        return run(nexus, Opcode.READ_10, 0, 0, 0, 0, 0, 0, 0, 1);
    }

    private int write(int nexus) {
        return run(nexus, Opcode.WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1);
    }

    private void registerAll() {
        assertThat(register(A, 0, KEY_A)).isEqualTo(GOOD);
        assertThat(register(B, 0, KEY_B)).isEqualTo(GOOD);
    }

    private List<Sense> attentions(int nexus) {
        return unit.attentions().of(nexus);
    }

    @Test
    void registers() {
        assertThat(register(A, 7, KEY_A)).as("a key before it has one").isEqualTo(CONFLICT);
        assertThat(register(A, 0, 0)).isEqualTo(GOOD);
        assertThat(unit.reservations().snapshot().generation()).isZero();
        assertThat(register(A, 0, KEY_A)).isEqualTo(GOOD);
        assertThat(register(A, 0, 5)).isEqualTo(CONFLICT);
        assertThat(register(A, KEY_A, 5)).isEqualTo(GOOD);
        assertThat(out(A, ReservationCommands.REGISTER_AND_IGNORE, 0, 99, KEY_A))
                .isEqualTo(GOOD);
        assertThat(unit.reservations().snapshot().generation()).isEqualTo(3);
        assertThat(register(A, KEY_A, 0)).isEqualTo(GOOD);
        assertThat(unit.reservations().snapshot().keys()).isEmpty();
        assertThat(unit.reservations().snapshot().generation()).isEqualTo(4);
    }

    @ParameterizedTest
    @ValueSource(
            ints = {
                WRITE_EXCLUSIVE,
                EXCLUSIVE_ACCESS,
                WRITE_EXCLUSIVE_REGISTRANTS,
                EXCLUSIVE_ACCESS_REGISTRANTS,
                WRITE_EXCLUSIVE_ALL,
                EXCLUSIVE_ACCESS_ALL
            })
    void eachTypeLetsInWhoItShould(int type) {
        boolean exclusive =
                type == EXCLUSIVE_ACCESS || type == EXCLUSIVE_ACCESS_REGISTRANTS || type == EXCLUSIVE_ACCESS_ALL;
        boolean registrants = type >= WRITE_EXCLUSIVE_REGISTRANTS;
        registerAll();
        assertThat(reserve(C, KEY_C, type)).as("not registered").isEqualTo(CONFLICT);
        assertThat(reserve(A, KEY_B, type)).as("another's key").isEqualTo(CONFLICT);
        assertThat(reserve(A, KEY_A, type)).isEqualTo(GOOD);
        assertThat(reserve(A, KEY_A, type)).isEqualTo(GOOD);
        assertThat(read(A)).isEqualTo(GOOD);
        assertThat(write(A)).isEqualTo(GOOD);
        assertThat(read(B)).isEqualTo(exclusive && !registrants ? CONFLICT : GOOD);
        assertThat(write(B)).isEqualTo(registrants ? GOOD : CONFLICT);
        assertThat(read(C)).isEqualTo(exclusive ? CONFLICT : GOOD);
        assertThat(write(C)).isEqualTo(CONFLICT);
        for (int opcode : new int[] {Opcode.TEST_UNIT_READY, Opcode.READ_CAPACITY_10, Opcode.REQUEST_SENSE}) {
            assertThat(run(C, opcode)).isEqualTo(GOOD);
        }
        assertThat(run(C, Opcode.INQUIRY, 0, 0, 0, 36)).isEqualTo(GOOD);
        assertThat(run(C, Opcode.MODE_SENSE_6, 0, 0x3f, 0, 255)).isEqualTo(CONFLICT);
        assertThat(run(C, Opcode.START_STOP_UNIT, 0, 0, 0, 0)).isEqualTo(CONFLICT);
        assertThat(run(C, Opcode.START_STOP_UNIT, 0, 0, 0, 1)).isEqualTo(GOOD);
        assertThat(run(C, Opcode.SYNCHRONIZE_CACHE_10)).isEqualTo(CONFLICT);
        assertThat(run(C, Opcode.PERSISTENT_RESERVE_IN, 0, 0, 0, 0, 0, 0, 1, 0)).isEqualTo(GOOD);
        int otherType = type == WRITE_EXCLUSIVE ? EXCLUSIVE_ACCESS : WRITE_EXCLUSIVE;
        assertThat(reserve(A, KEY_A, otherType)).isEqualTo(CONFLICT);
        assertThat(release(A, KEY_A, otherType)).isEqualTo(CHECK);
        assertThat(command.sense()).isEqualTo(Sense.INVALID_RELEASE);
        assertThat(release(A, KEY_A, type)).isEqualTo(GOOD);
        assertThat(attentions(B)).isEqualTo(registrants ? List.of(Sense.RESERVATIONS_RELEASED) : List.of());
        unit.attentions().set(B, List.of());
        assertThat(write(C)).isEqualTo(GOOD);
        assertThat(unit.reservations().isAny()).isFalse();
    }

    @Test
    void whoLeavesTakesItsReservationAlong() {
        registerAll();
        assertThat(reserve(A, KEY_A, WRITE_EXCLUSIVE_REGISTRANTS)).isEqualTo(GOOD);
        assertThat(register(A, KEY_A, 0)).isEqualTo(GOOD);
        assertThat(attentions(B)).containsExactly(Sense.RESERVATIONS_RELEASED);
        assertThat(write(C)).isEqualTo(GOOD);
        unit.attentions().set(B, List.of());
        assertThat(register(A, 0, KEY_A)).isEqualTo(GOOD);
        assertThat(reserve(A, KEY_A, EXCLUSIVE_ACCESS_ALL)).isEqualTo(GOOD);
        assertThat(register(A, KEY_A, 0)).isEqualTo(GOOD);
        assertThat(read(C)).as("the last registrant still has it").isEqualTo(CONFLICT);
        assertThat(register(B, KEY_B, 0)).isEqualTo(GOOD);
        assertThat(read(C)).isEqualTo(GOOD);
    }

    @Test
    void clears() {
        registerAll();
        assertThat(reserve(A, KEY_A, EXCLUSIVE_ACCESS)).isEqualTo(GOOD);
        assertThat(out(C, ReservationCommands.CLEAR, 0, KEY_C, 0)).isEqualTo(CONFLICT);
        assertThat(out(B, ReservationCommands.CLEAR, 0, KEY_B, 0)).isEqualTo(GOOD);
        assertThat(attentions(A)).containsExactly(Sense.RESERVATIONS_PREEMPTED);
        assertThat(attentions(B)).isEmpty();
        assertThat(unit.reservations().snapshot().keys()).isEmpty();
        assertThat(read(C)).isEqualTo(GOOD);
    }

    @Test
    void preempts() {
        registerAll();
        assertThat(register(C, 0, KEY_C)).isEqualTo(GOOD);
        assertThat(reserve(A, KEY_A, WRITE_EXCLUSIVE)).isEqualTo(GOOD);
        assertThat(preempt(B, KEY_B, 0x99, WRITE_EXCLUSIVE)).as("no such key").isEqualTo(CONFLICT);
        assertThat(preempt(B, KEY_B, 0, WRITE_EXCLUSIVE)).isEqualTo(CHECK);
        assertThat(command.sense()).isEqualTo(Sense.INVALID_FIELD_IN_PARAMETERS);
        assertThat(preempt(B, KEY_B, KEY_C, WRITE_EXCLUSIVE)).as("a bystander").isEqualTo(GOOD);
        assertThat(attentions(C)).containsExactly(Sense.REGISTRATIONS_PREEMPTED);
        assertThat(unit.reservations().snapshot().holder()).isEqualTo(A);
        assertThat(out(B, ReservationCommands.PREEMPT_AND_ABORT, EXCLUSIVE_ACCESS, KEY_B, KEY_A))
                .isEqualTo(GOOD);
        assertThat(attentions(A)).containsExactly(Sense.REGISTRATIONS_PREEMPTED);
        assertThat(unit.reservations().snapshot().holder()).isEqualTo(B);
        assertThat(unit.reservations().snapshot().keys()).containsOnlyKeys(B);
        assertThat(run(A, Opcode.TEST_UNIT_READY)).isEqualTo(CHECK);
        assertThat(read(A)).isEqualTo(CONFLICT);
    }

    @Test
    void preemptsWhereAllRegistrantsHold() {
        registerAll();
        assertThat(reserve(A, KEY_A, WRITE_EXCLUSIVE_ALL)).isEqualTo(GOOD);
        assertThat(preempt(B, KEY_B, 0, EXCLUSIVE_ACCESS)).isEqualTo(GOOD);
        assertThat(unit.reservations().snapshot().keys()).containsOnlyKeys(B);
        assertThat(unit.reservations().snapshot().type()).isEqualTo(EXCLUSIVE_ACCESS);
        assertThat(attentions(A)).containsExactly(Sense.REGISTRATIONS_PREEMPTED);
    }

    @Test
    void aReserveKeepsEverybodyElseOut() {
        assertThat(run(A, Opcode.RESERVE_6)).isEqualTo(GOOD);
        assertThat(run(B, Opcode.RESERVE_6)).isEqualTo(CONFLICT);
        assertThat(run(B, Opcode.TEST_UNIT_READY)).isEqualTo(CONFLICT);
        assertThat(read(B)).isEqualTo(CONFLICT);
        assertThat(register(B, 0, KEY_B)).isEqualTo(CONFLICT);
        assertThat(run(B, Opcode.INQUIRY, 0, 0, 0, 36)).isEqualTo(GOOD);
        assertThat(run(B, Opcode.RELEASE_6)).isEqualTo(GOOD);
        assertThat(read(B)).as("only its owner releases it").isEqualTo(CONFLICT);
        unit.reset();
        clearAttentions();
        assertThat(read(B)).isEqualTo(GOOD);
    }

    /** Whatever is asked in whatever order: what is told of it could have come to be, and goes through the device state. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void whateverIsAskedLeavesWhatCanBe(long seed) {
        Random random = new Random(seed);
        int[] types = {1, 3, 5, 6, 7, 8};
        for (int i = 0; i < 2000; i++) {
            int nexus = random.nextInt(4);
            out(nexus, random.nextInt(7), types[random.nextInt(types.length)], random.nextInt(4), random.nextInt(4));
            if (random.nextInt(50) == 0) {
                run(nexus, random.nextBoolean() ? Opcode.RESERVE_6 : Opcode.RELEASE_6);
            }
            Reservations.Snapshot now = unit.reservations().snapshot();
            assertThat(now.isValid()).as("%s", now).isTrue();
            Reservations other = new Reservations(new UnitAttentions());
            other.restore(now);
            assertThat(other.snapshot()).isEqualTo(now);
            assertThat(other.isAny()).isEqualTo(unit.reservations().isAny());
            clearAttentions();
        }
    }
}
