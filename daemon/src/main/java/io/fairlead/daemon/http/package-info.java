/** The API's frame: routes with their description, requests and answers, and the server that carries them. */
@NullMarked
package io.fairlead.daemon.http;

import org.jspecify.annotations.NullMarked;
