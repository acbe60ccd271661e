package io.fairlead.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

/** What a user is told of an exception. Those of {@code java.nio.file} often say the file's name and not what is wrong. */
final class FailureText {
    private FailureText() {}

    static String of(Exception e) {
        Throwable cause = e instanceof UncheckedIOException && e.getCause() instanceof IOException within ? within : e;
        String message = cause.getMessage();
        if (cause instanceof FileSystemException file && file.getReason() == null && message != null) {
            return message + ": " + reason(file);
        }
        return message != null ? message : cause.toString();
    }

    private static String reason(FileSystemException e) {
        return switch (e) {
            case AccessDeniedException _ -> "this user may not use it: permission denied";
            case NoSuchFileException _ -> "no such file or directory";
            case FileAlreadyExistsException _ -> "exists already";
            case NotDirectoryException _ -> "is not a directory";
            default -> e.getClass().getSimpleName();
        };
    }
}
