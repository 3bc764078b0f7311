// The client of a Tally daemon: models, training, evaluation, inference.
//
//   auto client = tally::Client::Connect("unix:/run/tally/tallyd.sock");
//   if (!client.ok()) ...
//   auto model = (*client)->CreateFromZoo("digits", "pocketnn/mnist-mlp");
//
// Results are the messages of tally/v1/*.proto, whose comments give the unit and range of every
// field. To teach a model many samples use a TrainSession (train_session.h): it survives restarts
// of the daemon.
//
// Errors. Every call returns absl::Status or absl::StatusOr with the server's code and message;
// DetailsOf (error_details.h) gives field path, retry delay and resource. The codes are listed in
// the project's proto/README.md.
//
// Deadlines. Every call has one: `timeout` for calls that are answered at once, `long_timeout` for
// those that wait for training or move whole models. A call that passes it returns
// DEADLINE_EXCEEDED.
//
// Retries. UNAVAILABLE (and CANCELLED, which is how gRPC reports a call that a server's shutdown
// cut off), and RESOURCE_EXHAUSTED when the server gave a retry delay, are retried with exponential
// back-off and jitter until `patience` has passed; nothing else is. Create, Delete, Import, Export
// and Rollback are retried only when the server itself refused the call (a lost connection does not
// tell whether the call was carried out).
//
// Threads. A Client may be used by any number of threads at once. Callbacks run on the calling
// thread.

#ifndef TALLY_CLIENT_CLIENT_H_
#define TALLY_CLIENT_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tally/v1/models.pb.h"
#include "tally/v1/training.pb.h"

namespace tally {

namespace internal {
class Connection;
}

struct ClientOptions {
  std::chrono::milliseconds timeout{30'000};  // Get, List, Create, Train, Infer ...
  std::chrono::milliseconds long_timeout{
      600'000};                                  // Flush, Digest, Checkpoint, Evaluate, Import ...
  std::chrono::milliseconds patience{2'000};     // how long refused calls are tried again
  std::chrono::milliseconds backoff_first{100};  // before the second attempt; then doubled ...
  std::chrono::milliseconds backoff_max{5'000};  // ... up to this, each +-20 %
};

// Labelled rows: labels.size() rows of the model's input, row-major, little-endian, without
// padding.
struct LabelledRows {
  std::string rows;
  std::vector<uint32_t> labels;
};

// Fills `packet` (given empty) with the next rows to evaluate and returns true, or returns false at
// the end.
using PacketSource = std::function<bool(LabelledRows& packet)>;

struct InferQuery {
  std::string model = {};
  std::string model_version = {};  // empty: the current one
  std::string datatype = "UINT8";  // of the model's input: "UINT8", "INT8" or "INT16"
  uint32_t rows = 0;               // at least 1
  std::string bytes = {};          // the rows, as in LabelledRows
};

struct InferResult {
  std::string model_version;        // of the snapshot that answered
  uint32_t classes = 0;             // scores a row
  std::vector<int32_t> scores;      // [rows, classes]; the class is the first maximum
  std::vector<std::string> labels;  // one a row: the class's name
};

struct ServerStatus {
  bool live = false;   // the process answers
  bool ready = false;  // every model is ready and the daemon is not draining
  std::string version;
};

class Client {
 public:
  // `address` is "unix:PATH" or "host:port"; anything else is INVALID_ARGUMENT. No connection is
  // made yet: the first call does that, and a lost connection is made again by the next one.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(std::string_view address,
                                                         const ClientOptions& options = {});
  ~Client();

  // ---- Models ----
  absl::StatusOr<v1::Model> Create(std::string_view name, const v1::ModelSpec& spec) const;
  absl::StatusOr<v1::Model> CreateFromZoo(std::string_view name, std::string_view zoo) const;
  absl::StatusOr<v1::Model> Get(std::string_view name) const;
  absl::StatusOr<std::vector<v1::Model>> List() const;  // sorted by name
  absl::Status Delete(std::string_view name) const;
  absl::StatusOr<v1::CheckpointInfo> Checkpoint(std::string_view name) const;
  absl::StatusOr<std::vector<v1::CheckpointInfo>> ListCheckpoints(std::string_view name) const;
  // Back to the kept generation at `position`.
  absl::StatusOr<v1::RollbackResponse> Rollback(std::string_view name, uint64_t position) const;
  // Waits until everything accepted so far is trained as far as complete mini-batches go.
  absl::StatusOr<v1::DigestResponse> Digest(std::string_view name) const;

  // Writes the checkpoint file of a kept generation (or of the present state) to `out` and returns
  // what the server says about it. After an error `out` may hold a part of the file. A stream that
  // stops taking bytes is UNKNOWN.
  absl::StatusOr<v1::CheckpointInfo> Export(std::string_view name, std::optional<uint64_t> position,
                                            std::ostream& out) const;
  // Makes a model of the checkpoint file `in`, read to its end in chunks. `name` may be empty: the
  // one in the file.
  absl::StatusOr<v1::Model> Import(std::string_view name, std::istream& in) const;

  // ---- Training ----
  // One packet, sent again as a whole if need be: sequences make that harmless.
  absl::StatusOr<v1::TrainResponse> Train(const v1::TrainRequest& request) const;
  // Closes the open partial mini-batch and waits until all that was accepted is durable and
  // trained.
  absl::StatusOr<v1::FlushResponse> Flush(std::string_view model) const;
  absl::StatusOr<v1::SourceProgress> GetSource(std::string_view model,
                                               std::string_view source) const;
  // Measures one snapshot that contains at least `min_position` (0: the current one) on the rows of
  // `next`. Not retried.
  absl::StatusOr<v1::EvaluateResponse> Evaluate(std::string_view model, uint64_t min_position,
                                                const PacketSource& next) const;

  // ---- Inference ----
  absl::StatusOr<InferResult> Infer(const InferQuery& query) const;
  absl::StatusOr<ServerStatus> Health() const;
  // Whether Infer would be answered now. An unknown model is NOT_FOUND.
  absl::StatusOr<bool> ModelReady(std::string_view model) const;

  const ClientOptions& options() const;

 private:
  friend class TrainSession;
  explicit Client(std::shared_ptr<internal::Connection> connection);

  std::shared_ptr<internal::Connection> connection_;  // shared with the sessions opened from here
};

// Version of the library: "0.1.0".
std::string_view ClientVersion();

}  // namespace tally

#endif  // TALLY_CLIENT_CLIENT_H_
