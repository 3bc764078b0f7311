// What an operator wants to read in the log about a model.

#ifndef TALLY_DAEMON_HOSTING_HOST_EVENT_H_
#define TALLY_DAEMON_HOSTING_HOST_EVENT_H_

#include <cstdint>
#include <functional>
#include <string>

namespace tally::hosting {

struct HostEvent {
  enum class Kind : uint8_t { kRecovered, kCheckpoint, kRollback, kWarning, kFailed };
  Kind kind = Kind::kRecovered;
  std::string model;
  uint64_t step = 0;  // mini-batches trained at that moment
  std::string detail;
};

// From any thread, without locks.
using EventCallback = std::function<void(const HostEvent& event)>;

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_HOST_EVENT_H_
