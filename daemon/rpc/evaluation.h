// Measures one snapshot on labelled rows, packet by packet.

#ifndef TALLY_DAEMON_RPC_EVALUATION_H_
#define TALLY_DAEMON_RPC_EVALUATION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/hosting/model_host.h"
#include "tally/v1/training.pb.h"

namespace tally::rpc {

class Evaluation {
 public:
  explicit Evaluation(std::shared_ptr<const hosting::Snapshot> snapshot);

  const ModelSpec& spec() const { return *snapshot_->spec; }
  // `rows` and `labels` have passed CheckRows.
  void Add(const std::string& rows, const google::protobuf::RepeatedField<uint32_t>& labels);
  void Write(v1::EvaluateResponse& response) const;

 private:
  struct ClassCounts {
    uint64_t total = 0;
    uint64_t correct = 0;
    uint64_t predicted = 0;
  };

  void AddSlice(std::span<const std::byte> rows, std::span<const uint32_t> labels);

  const std::shared_ptr<const hosting::Snapshot> snapshot_;
  std::vector<ClassCounts> classes_;
  std::vector<int32_t> scores_;
  int64_t loss_ = 0;
};

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_EVALUATION_H_
