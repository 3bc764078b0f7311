// One Train or TrainStream call: packets in, acknowledgements out.
//
// The session knows nothing of gRPC: a transport carries its messages, and tests drive it with one
// of their own. Invariants, all under one mutex:
//   - at most one read and one write are under way;
//   - a packet is validated whole before any of it is kept, and packets are kept in the order they
//   came;
//   - nothing is read while a packet waits for room, nor while a window of rows await their
//     acknowledgement, so that flow control holds the sender;
//   - the call ends once everything kept has been acknowledged as it was asked for.

#ifndef TALLY_DAEMON_RPC_TRAIN_SESSION_H_
#define TALLY_DAEMON_RPC_TRAIN_SESSION_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "daemon/hosting/model_host.h"
#include "daemon/platform/mutex.h"
#include "daemon/rpc/catalog.h"
#include "daemon/rpc/live_limits.h"
#include "daemon/storage/clock.h"
#include "tally/v1/training.pb.h"

namespace tally::rpc {

// The wire. Called under the session's mutex; must not call the session back from inside.
class TrainTransport {
 public:
  virtual ~TrainTransport() = default;
  virtual void Read() = 0;  // answered by OnMessage or OnReadClosed
  // True if the write is complete already, else answered by OnWriteDone.
  virtual bool Write(const v1::TrainStreamResponse& response) = 0;
  virtual void Finish(const absl::Status& status) = 0;  // once, the last call
};

class TrainSession : public hosting::ProgressListener,
                     public std::enable_shared_from_this<TrainSession> {
 public:
  enum class Kind : uint8_t {
    kUnary,   // one packet; no room is RESOURCE_EXHAUSTED
    kStream,  // waits for room
  };
  struct Environment {
    const Catalog* catalog = nullptr;
    const LiveLimits* limits = nullptr;
    storage::Clock* clock = nullptr;
    // Runs work soon on another thread, in order: the host's threads must not write to the network.
    std::function<void(std::function<void()>)> lane;
    v1::Durability default_durability = v1::DURABILITY_DURABLE;
    // Streams that share the memory of windows; null: this one alone.
    const std::atomic<uint32_t>* open_streams = nullptr;
  };

  TrainSession(Kind kind, const Environment& environment, TrainTransport* transport);

  // Events of the transport.
  void Start();
  void OnMessage(v1::TrainStreamRequest& request);  // takes the rows out of it
  void OnReadClosed();
  void OnWriteDone(bool ok);
  void OnCancel();
  // After the transport is gone. Not from inside OnProgress.
  void Close();

  // Ends the call with `status` once everything kept has been acknowledged.
  void End(const absl::Status& status);

  void OnProgress() override;

 private:
  struct InFlight {
    uint64_t last_sequence = 0;
    uint64_t bytes = 0;
  };

  absl::Status Open(const v1::TrainStreamRequest& request) TALLY_REQUIRES(mutex_);
  absl::Status CheckRepeated(const v1::TrainStreamRequest& request) const TALLY_REQUIRES(mutex_);
  absl::Status Take(v1::TrainStreamRequest& request) TALLY_REQUIRES(mutex_);
  void AppendPending() TALLY_REQUIRES(mutex_);
  void Kept(const hosting::AppendResult& result, uint64_t last_sequence, uint64_t bytes)
      TALLY_REQUIRES(mutex_);
  uint64_t WindowBytes() const;
  bool SyncCanWait() const TALLY_REQUIRES(mutex_);
  void BeginEnd(const absl::Status& status) TALLY_REQUIRES(mutex_);

  // Does everything that has become possible.
  void Advance() TALLY_REQUIRES(mutex_);
  void RetireAcknowledged() TALLY_REQUIRES(mutex_);
  void GiveUpOnFailedHost() TALLY_REQUIRES(mutex_);
  bool WriteIsDue() const TALLY_REQUIRES(mutex_);
  void WriteAcknowledgement() TALLY_REQUIRES(mutex_);
  void PublishWakeConditions() TALLY_REQUIRES(mutex_);
  uint64_t LevelOf(const hosting::SourceProgress& progress) const {
    return durable_.load() ? progress.durable_through : progress.accepted_through;
  }
  bool EverythingAcknowledgeable() const TALLY_REQUIRES(mutex_) {
    return LevelOf(progress_) >= last_sequence_;
  }
  bool ShouldWake() const;
  bool TrainingIsWorthTelling(const hosting::SourceProgress& progress, uint64_t kept) const;
  bool MustWaitForRoom(uint64_t bytes) const;

  const Kind kind_;
  const Environment environment_;

  Mutex mutex_;
  TrainTransport* transport_ TALLY_GUARDED_BY(mutex_);
  std::string model_ TALLY_GUARDED_BY(mutex_);
  std::optional<storage::SamplesRecord> pending_ TALLY_GUARDED_BY(mutex_);
  std::deque<InFlight> in_flight_ TALLY_GUARDED_BY(mutex_);
  uint64_t in_flight_bytes_ TALLY_GUARDED_BY(mutex_) = 0;
  // Packets since nothing was in flight; the same of the time before.
  uint64_t run_packets_ TALLY_GUARDED_BY(mutex_) = 0;
  uint64_t last_run_packets_ TALLY_GUARDED_BY(mutex_) = 0;
  uint64_t last_sequence_ TALLY_GUARDED_BY(mutex_) = 0;  // kept through this call
  uint64_t skipped_ TALLY_GUARDED_BY(mutex_) = 0;
  hosting::SourceProgress progress_ TALLY_GUARDED_BY(mutex_);
  hosting::SourceProgress sent_ TALLY_GUARDED_BY(mutex_);
  bool sent_any_ TALLY_GUARDED_BY(mutex_) = false;
  bool final_sent_ TALLY_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> ending_ TALLY_GUARDED_BY(mutex_);
  bool cancelled_ TALLY_GUARDED_BY(mutex_) = false;
  bool reading_ TALLY_GUARDED_BY(mutex_) = false;
  bool writing_ TALLY_GUARDED_BY(mutex_) = false;
  bool finished_ TALLY_GUARDED_BY(mutex_) = false;

  // Set once, before the listener is added; read by OnProgress without the mutex.
  std::shared_ptr<hosting::ModelHost> host_;
  std::string source_;
  std::atomic<bool> durable_{true};
  // What OnProgress compares with, so that most progress wakes nobody.
  std::atomic<bool> scheduled_{false};
  std::atomic<bool> attentive_{false};     // waiting for the last acknowledgement: wake on anything
  std::atomic<uint64_t> wake_level_{0};    // wake above this
  std::atomic<uint64_t> wake_durable_{0};  // likewise, whatever the call's durability
  std::atomic<uint64_t> wake_bytes_{0};    // wake when there is room for so many; 0: nothing waits
  std::atomic<uint64_t> sent_trained_{0};
  std::atomic<uint64_t> kept_through_{0};
  std::atomic<int64_t> sent_at_ns_{0};
};

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_TRAIN_SESSION_H_
