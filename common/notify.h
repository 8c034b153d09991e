/** @file Telling the service manager how the process is, by its NOTIFY_SOCKET protocol (sd_notify(3)). */
#pragma once

/** Send "READY=1", "STOPPING=1". Does nothing where nobody listens. */
void notify_send(const char *state);
