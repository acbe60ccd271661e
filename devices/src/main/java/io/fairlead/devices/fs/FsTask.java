package io.fairlead.devices.fs;

import io.fairlead.devices.base.WorkerTask;
import io.fairlead.linux.Errno;
import io.fairlead.virtio.DescriptorChain;
import org.jspecify.annotations.Nullable;

/** One request: what a worker does for it, and what came of it. One a slot of the queue. */
final class FsTask extends WorkerTask {
    private final FsRequestHandler handler;
    private final DescriptorChain chain;

    private int opcode;
    private long unique;
    private int result;

    /** Bytes of the answer that are written; 0 for none. */
    private long writtenBytes;

    /** An error of the code or of the guest's memory. */
    private @Nullable Throwable fault;

    FsTask(FsRequestHandler handler, DescriptorChain chain) {
        this.handler = handler;
        this.chain = chain;
    }

    DescriptorChain chain() {
        return chain;
    }

    FsRequestHandler handler() {
        return handler;
    }

    /** The guest's number of the request, known once it was begun. */
    long unique() {
        return unique;
    }

    int opcode() {
        return opcode;
    }

    int result() {
        return result;
    }

    long writtenBytes() {
        return writtenBytes;
    }

    @Nullable
    Throwable fault() {
        return fault;
    }

    @Override
    protected void run() {
        serve();
        handler.done(this);
    }

    /** Does what the request says, on whatever thread. */
    void serve() {
        fault = null;
        writtenBytes = 0;
        try {
            FsThread thread = FsThread.current();
            thread.take(chain);
            opcode = thread.opcode();
            unique = thread.unique();
            answer(thread, handler.service().serve(thread));
        } catch (RuntimeException | Error e) {
            fault = e;
            result = -Errno.EIO;
        }
    }

    private void answer(FsThread thread, int newResult) {
        result = newResult;
        if (result == LockOperations.WAIT || !FsService.isAnswered(opcode)) {
            return;
        }
        if (result > thread.outRoom && opcode != FuseOpcode.READ) {
            result = -Errno.EIO;
        }
        int body = Math.max(0, result);
        thread.out.set(FsThread.LE_INT, Fuse.OutHeader.LEN, Fuse.OutHeader.BYTES + body);
        thread.out.set(FsThread.LE_INT, Fuse.OutHeader.ERROR, Math.min(0, result));
        thread.out.set(FsThread.LE_LONG, Fuse.OutHeader.UNIQUE, unique);
        // What was read is in the guest's memory already.
        chain.write(0, thread.out, 0, Fuse.OutHeader.BYTES + (opcode == FuseOpcode.READ ? 0 : body));
        writtenBytes = Fuse.OutHeader.BYTES + (long) body;
    }

    /** Tries a request that waited for a lock once more. Any thread. */
    void again() {
        handler.submit(this);
    }

    /** Ends the waiting for a lock. Any thread; nobody else has the task now. */
    void interrupt() {
        try {
            FsThread thread = FsThread.current();
            thread.take(chain);
            answer(thread, -Errno.EINTR);
        } catch (RuntimeException | Error e) {
            fault = e;
        }
        handler.done(this);
    }

    @Override
    protected void finish() {
        handler.finish(this);
    }
}
