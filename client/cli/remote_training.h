// Teaching a model of a daemon a data set, epoch by epoch, so that the result equals `tally fit`.
//
// The source's sequences run over the whole training: with n samples, sequence s is sample (s - 1)
// % n of epoch (s - 1) / n in that epoch's order. So where the source stands says where to go on,
// after a break of the connection, a restart of the daemon, or a new run of this program.
//
// Each epoch ends with Flush. A flush at the wrong moment would close a mini-batch of the next
// epoch, so it is sent exactly while the source stands at the end of an epoch, and the next epoch's
// first sample only after it was answered. Sent twice there, because an answer was lost or the
// program started again, it finds no open mini-batch and changes nothing. (Other sources that feed
// the model meanwhile are outside this.)

#ifndef TALLY_CLIENT_CLI_REMOTE_TRAINING_H_
#define TALLY_CLIENT_CLI_REMOTE_TRAINING_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/datasets/dataset.h"
#include "client/training/training_plan.h"
#include "tally/client.h"
#include "tally/train_session.h"

namespace tally::cli {

struct RemoteTrainingOptions {
  std::string model;
  std::string source;
  TrainingPlan plan;
  uint32_t batch_rows = 0;  // samples a packet; 0: as many as make about 64 KiB, at most 256
  v1::Durability durability = v1::DURABILITY_UNSPECIFIED;
  uint64_t window_bytes = TrainSessionOptions().window_bytes;
};

// Told how training goes. OnProgress and OnInterruption come from threads of the session, one at a
// time; OnEpoch comes from the caller's.
class RemoteTrainingObserver {
 public:
  virtual ~RemoteTrainingObserver() = default;
  virtual void OnProgress(const TrainProgress& progress) = 0;
  virtual void OnInterruption(const absl::Status& cause, std::chrono::milliseconds delay) = 0;
  virtual void OnEpoch(uint32_t epoch, const v1::FlushResponse& flush) = 0;
};

struct RemoteTrainingReport {
  uint64_t resumed_after = 0;  // samples the daemon had of this source before
  uint64_t sent = 0;           // by this run
  uint32_t interruptions = 0;  // survived
  v1::FlushResponse last_flush;
};

// Samples a packet for rows of so many bytes.
uint32_t DefaultBatchRows(uint64_t row_bytes);

// Returns when the last epoch is flushed: everything is durable and trained. `client` should be
// patient enough to outlive a restart of the daemon between two epochs. FAILED_PRECONDITION if the
// source has more samples than the plan. `dataset` fits the model.
absl::StatusOr<RemoteTrainingReport> TrainRemotely(const Client& client, const Dataset& dataset,
                                                   const RemoteTrainingOptions& options,
                                                   RemoteTrainingObserver& observer);

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_REMOTE_TRAINING_H_
