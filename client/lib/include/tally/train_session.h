// A stream of samples to one model that survives whatever happens to the connection or the daemon.
//
// The session numbers the samples, keeps each packet until the server has acknowledged it as the
// chosen durability asks, and, when the connection breaks, connects again with exponential back-off
// and jitter, asks the server where the source stands and sends the rest. Together with the
// server's sequences that gives: every sample is learnt exactly once, in the order in which it was
// sent, through any number of kill -9.
//
//   auto session = tally::TrainSession::Open(*client, {.model = "digits", .source = "camera-1"});
//   for (...) (*session)->Send(rows, labels);   // blocks while the window is full
//   absl::Status status = (*session)->Finish();  // everything is acknowledged
//
// A later session of the same source continues where this one ended: next_sequence() tells how many
// samples the server has already. One source is one writer: two sessions of one source at the same
// moment end in ABORTED.
//
// Retried is what client.h says under "Retries", until `give_up_after`; every other error
// ends the session: the call that meets it and all later ones return it.
//
// Threads. Send, WaitAcknowledged and Finish: one thread at a time. Cancel, progress and
// next_sequence: any thread. The callbacks run on the session's own threads, never two at once, and
// must return quickly; they may call progress() and Cancel() only.
//
// Memory. At most `window_bytes` of unacknowledged packets (or one packet, if a single one is
// larger).

#ifndef TALLY_CLIENT_TRAIN_SESSION_H_
#define TALLY_CLIENT_TRAIN_SESSION_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tally/client.h"
#include "tally/v1/training.pb.h"

namespace tally {

struct TrainProgress {
  v1::SourceProgress source;
  v1::Prequential prequential;
  v1::DigestPoint digest_point;
  uint32_t interruptions = 0;  // broken connections and refusals survived so far
};

struct TrainSessionOptions {
  std::string model = {};
  std::string source = {};
  // DURABLE and UNSPECIFIED: packets are kept until they survive power loss; BUFFERED: until they
  // survive kill -9 of the daemon.
  v1::Durability durability = v1::DURABILITY_UNSPECIFIED;
  uint64_t window_bytes = 1u << 20;  // rows and labels kept unacknowledged, at least 1
  // Without any progress for so long, the session ends with the last error.
  std::chrono::milliseconds give_up_after{600'000};
  // A stream is closed and opened again after so long, so that none waits for ever.
  std::chrono::milliseconds stream_lifetime{900'000};
  // After each acknowledgement.
  std::function<void(const TrainProgress&)> on_progress = {};
  // Before a pause of `delay` that `cause` made necessary.
  std::function<void(const absl::Status& cause, std::chrono::milliseconds delay)> on_interruption =
      {};
};

class TrainSession {
 public:
  // Asks the server where the source stands (with the client's own deadline and patience).
  static absl::StatusOr<std::unique_ptr<TrainSession>> Open(const Client& client,
                                                            TrainSessionOptions options);
  // Cancels what is not finished.
  ~TrainSession();

  // Sequence of the first row of the next Send.
  uint64_t next_sequence() const;

  // Takes labels.size() consecutive samples (as in v1.Samples). Returns when the window has room
  // for them, which says nothing about the server yet. INVALID_ARGUMENT without labels.
  absl::Status Send(std::string rows, std::span<const uint32_t> labels);

  // Waits until everything sent is acknowledged.
  absl::Status WaitAcknowledged();

  // WaitAcknowledged, then ends the stream. No Send afterwards.
  absl::Status Finish();

  // Ends the session now; waiting calls return CANCELLED. What the server has not kept is lost.
  void Cancel();

  TrainProgress progress() const;

 private:
  class Impl;
  explicit TrainSession(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace tally

#endif  // TALLY_CLIENT_TRAIN_SESSION_H_
