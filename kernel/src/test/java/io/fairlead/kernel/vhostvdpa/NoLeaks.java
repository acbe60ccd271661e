package io.fairlead.kernel.vhostvdpa;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** After each test as many descriptors and mappings are open as before it. Tests of one class run one after another. */
final class NoLeaks implements BeforeEachCallback, AfterEachCallback {
    private long descriptorsBefore;
    private long mappingsBefore;

    @Override
    public void beforeEach(ExtensionContext context) {
        descriptorsBefore = Fd.openCount();
        mappingsBefore = Mapping.openCount();
    }

    @Override
    public void afterEach(ExtensionContext context) {
        assertThat(Fd.openCount()).isEqualTo(descriptorsBefore);
        assertThat(Mapping.openCount()).isEqualTo(mappingsBefore);
    }
}
