package io.fairlead.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Talks to this machine's kernel: its controller is a family, too. */
class GenericNetlinkTest {
    @Test
    void theControllerListsItself() throws IOException {
        long before = Fd.openCount();
        try (GenericNetlink controller = GenericNetlink.open("nlctrl", 2)) {
            List<GenericNetlink.Message> families =
                    controller.dump("CTRL_CMD_GETFAMILY", NetlinkLayout.CTRL_CMD_GETFAMILY, new NetlinkPayload());
            assertThat(families)
                    .anySatisfy(family -> {
                        assertThat(family.attributes().text(NetlinkLayout.CTRL_ATTR_FAMILY_NAME))
                                .contains("nlctrl");
                        assertThat(family.attributes().u16(NetlinkLayout.CTRL_ATTR_FAMILY_ID))
                                .hasValue(NetlinkLayout.GENL_ID_CTRL);
                    })
                    .allSatisfy(family -> assertThat(family.command()).isEqualTo(NetlinkLayout.CTRL_CMD_NEWFAMILY));
        }
        assertThat(Fd.openCount()).isEqualTo(before);
    }

    @Test
    void aFamilyThatIsNotThereIsAnErrorOfTheKernel() {
        long before = Fd.openCount();
        NetlinkException refusal =
                catchThrowableOfType(NetlinkException.class, () -> GenericNetlink.open("fairlead-none", 1));
        assertThat(refusal.errno()).isEqualTo(Errno.ENOENT);
        assertThat(refusal).hasMessageStartingWith("CTRL_CMD_GETFAMILY fairlead-none: ENOENT");
        assertThat(Fd.openCount()).isEqualTo(before);
    }

    @Test
    void theSocketIsOfUseAfterARefusal() throws IOException {
        try (GenericNetlink controller = GenericNetlink.open("nlctrl", 2)) {
            NetlinkPayload unknown = new NetlinkPayload().text(NetlinkLayout.CTRL_ATTR_FAMILY_NAME, "none");
            for (int i = 0; i < 3; i++) {
                assertThatThrownBy(() -> controller.request("GET", NetlinkLayout.CTRL_CMD_GETFAMILY, unknown))
                        .isInstanceOf(NetlinkException.class);
            }
            NetlinkPayload known = new NetlinkPayload().text(NetlinkLayout.CTRL_ATTR_FAMILY_NAME, "nlctrl");
            assertThat(controller.request("GET", NetlinkLayout.CTRL_CMD_GETFAMILY, known))
                    .hasSize(1);
        }
    }

    @Test
    void aCommandThatTheFamilyDoesNotKnowIsRefused() throws IOException {
        try (GenericNetlink controller = GenericNetlink.open("nlctrl", 2)) {
            NetlinkException refusal = catchThrowableOfType(
                    NetlinkException.class, () -> controller.request("COMMAND", 200, new NetlinkPayload()));
            assertThat(refusal.errno()).isEqualTo(Errno.EOPNOTSUPP);
        }
    }

    @Test
    void noNamesThatCannotBe() {
        assertThatThrownBy(() -> GenericNetlink.open("", 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> GenericNetlink.open("a-name-of-16-byt", 1))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new NetlinkPayload().text(1, "a\0b")).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new NetlinkPayload().add(1, new byte[0xffff - 3]))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
