package io.fairlead.cli.output;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class TableTest {
    @Test
    void columnsAreAsWideAsTheyNeedAndNumbersStandToTheRight() {
        Table table = new Table("NAME", "COUNT", "SIZE")
                .row("a", 7, Quantity.bytes(512))
                .row("longer", 1234, Quantity.UNKNOWN);
        assertThat(table.text(false)).isEqualTo("""
                NAME    COUNT   SIZE
                a           7  512 B
                longer   1234      -
                """);
    }

    @Test
    void aColumnWithAWordIsSetToTheLeft() {
        assertThat(new Table("A", "B").row(1, 2).row("none", 3).text(false)).isEqualTo("A     B\n1     2\nnone  3\n");
    }

    @Test
    void anEmptyTableIsItsHeaders() {
        assertThat(new Table("A", "B").text(false)).isEqualTo("A  B\n");
        assertThat(new Table("A", "B").text(true)).isEqualTo("\033[1mA  B\033[0m\n");
    }

    @Test
    void whatCameFromElsewhereMovesNoCursor() {
        assertThat(new Table("NAME").row("\033[2Jvm\n0\u009b").text(false)).isEqualTo("NAME\n?[2Jvm?0?\n");
    }

    @Test
    void aRowHasACellAColumn() {
        assertThatThrownBy(() -> new Table("A").row(1, 2)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void quantitiesAreRoundedToTheUnitThatPeopleRead() {
        assertThat(Quantity.bytes(0)).hasToString("0 B");
        assertThat(Quantity.bytes(1023)).hasToString("1023 B");
        assertThat(Quantity.bytes(1023.7)).hasToString("1.0 KiB");
        assertThat(Quantity.bytes(1024)).hasToString("1.0 KiB");
        assertThat(Quantity.bytes(10 * 1024)).hasToString("10 KiB");
        assertThat(Quantity.bytes((1 << 20) - 1)).hasToString("1.0 MiB");
        assertThat(Quantity.bytes(1536L << 20)).hasToString("1.5 GiB");
        assertThat(Quantity.bytes(Long.MAX_VALUE)).hasToString("8.0 EiB");
        assertThat(Quantity.count(1234567.4)).hasToString("1,234,567");
    }
}
