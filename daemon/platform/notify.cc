#include "daemon/platform/notify.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <string>

#include "core/text/strings.h"

namespace tally::platform {
namespace {

// A failure cannot be helped, and matters to nobody but systemd, which then times out.
void Send(const std::string& state) { sd_notify(0, state.c_str()); }

}  // namespace

void NotifyReady(std::string_view status) { Send(text::StrCat("READY=1\nSTATUS=", status)); }

void NotifyStatus(std::string_view status) { Send(text::StrCat("STATUS=", status)); }

void NotifyReloading() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t us = int64_t{now.tv_sec} * 1000000 + now.tv_nsec / 1000;
  Send(text::StrCat("RELOADING=1\nMONOTONIC_USEC=", us));
}

void NotifyStopping(std::string_view status) { Send(text::StrCat("STOPPING=1\nSTATUS=", status)); }

void NotifyWatchdog() { Send("WATCHDOG=1"); }

void NotifyExtendTimeout(uint64_t ms) { Send(text::StrCat("EXTEND_TIMEOUT_USEC=", ms * 1000)); }

uint64_t WatchdogIntervalMs() {
  uint64_t us = 0;
  return sd_watchdog_enabled(0, &us) > 0 ? us / 1000 : 0;
}

}  // namespace tally::platform
