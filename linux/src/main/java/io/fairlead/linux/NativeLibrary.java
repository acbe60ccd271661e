package io.fairlead.linux;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * A shared library and its functions, for programs that drive another's library (tests and benchmarks do). A library
 * stays loaded until the process ends. Immutable; any thread.
 *
 * <p>The caller answers for each function's descriptor: a wrong one corrupts the process.
 */
public final class NativeLibrary {
    /** The longest text that {@link #text} returns. */
    public static final int MAX_TEXT_BYTES = 64 * 1024;

    private static final Linker LINKER = Linker.nativeLinker();

    private final String name;
    private final SymbolLookup lookup;

    private NativeLibrary(String name, SymbolLookup lookup) {
        this.name = name;
        this.lookup = lookup;
    }

    /**
     * Loads a library by its file.
     *
     * @throws IOException where there is no such file or the dynamic loader refuses it
     */
    public static NativeLibrary open(Path file) throws IOException {
        Path real = file.toRealPath();
        try {
            return new NativeLibrary(real.toString(), SymbolLookup.libraryLookup(real, Arena.global()));
        } catch (IllegalArgumentException e) {
            throw new IOException(
                    "cannot load %s: it is no shared library for this machine, or one that it needs is missing (ldd %s tells)"
                            .formatted(real, real),
                    e);
        }
    }

    /** The C library of the process. */
    public static NativeLibrary standard() {
        return new NativeLibrary("the C library", LINKER.defaultLookup());
    }

    /**
     * A function of the library.
     *
     * @param options as for {@link Linker#downcallHandle}
     * @throws IOException where the library has no such function
     */
    public MethodHandle function(String function, FunctionDescriptor descriptor, Linker.Option... options)
            throws IOException {
        MemorySegment symbol = lookup.find(function)
                .orElseThrow(() -> new IOException("%s has no function %s".formatted(name, function)));
        return LINKER.downcallHandle(symbol, descriptor, options);
    }

    /**
     * Copies a text that a function returned: UTF-8 that ends with a zero byte.
     *
     * @param address of its first byte, or 0
     * @return an empty text where the address is 0
     * @throws IndexOutOfBoundsException where it is longer than {@link #MAX_TEXT_BYTES}
     */
    public static String text(long address) {
        return address == 0
                ? ""
                : MemorySegment.ofAddress(address).reinterpret(MAX_TEXT_BYTES).getString(0);
    }

    @Override
    public String toString() {
        return name;
    }
}
