// What the daemon tells systemd. Every call does nothing when it was not started by systemd.

#ifndef TALLY_DAEMON_PLATFORM_NOTIFY_H_
#define TALLY_DAEMON_PLATFORM_NOTIFY_H_

#include <cstdint>
#include <string_view>

namespace tally::platform {

void NotifyReady(std::string_view status);
void NotifyStatus(std::string_view status);  // one line for `systemctl status`
void NotifyReloading();                      // to be followed by NotifyReady
void NotifyStopping(std::string_view status);
void NotifyWatchdog();
// The start or stop may take so much longer, counted from now.
void NotifyExtendTimeout(uint64_t ms);

// How often the watchdog must be fed at the latest, in ms; 0: no watchdog.
uint64_t WatchdogIntervalMs();

}  // namespace tally::platform

#endif  // TALLY_DAEMON_PLATFORM_NOTIFY_H_
