// The one RESOURCE_EXHAUSTED of Append that passes by itself: the training queue is full.

#ifndef TALLY_DAEMON_HOSTING_QUEUE_FULL_H_
#define TALLY_DAEMON_HOSTING_QUEUE_FULL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"

namespace tally::hosting {

// A stream waits after this error; after others (disk, journal, source table) it ends.
inline constexpr char kQueueFullPayloadUrl[] = "tally.queue_full";

inline absl::Status QueueFullError(const std::string& message) {
  absl::Status status = absl::ResourceExhaustedError(message);
  status.SetPayload(kQueueFullPayloadUrl, absl::Cord("1"));
  return status;
}

inline bool IsQueueFull(const absl::Status& status) {
  return absl::IsResourceExhausted(status) && status.GetPayload(kQueueFullPayloadUrl).has_value();
}

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_QUEUE_FULL_H_
