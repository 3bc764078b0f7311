// Bad input over the network: a table of named cases, and what has to hold for each.

#ifndef TALLY_TESTS_DAEMON_E2E_BAD_INPUT_H_
#define TALLY_TESTS_DAEMON_E2E_BAD_INPUT_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "inference/grpc_predict_v2.grpc.pb.h"
#include "tally/v1/models.grpc.pb.h"
#include "tally/v1/training.grpc.pb.h"
#include "tests/daemon/e2e/process.h"

namespace tally::e2e {

// What a case has at hand: the plain stubs too, since the client library would refuse some of it
// itself.
struct World {
  const Client& client;
  v1::Training::Stub& training;
  v1::Models::Stub& models;
  inference::GRPCInferenceService::Stub& inference;
  std::string checkpoint;  // a good file of the model "small"
};

struct BadInput {
  std::string name;
  std::function<absl::Status(World&)> send;
  absl::StatusCode code;
  std::string message;     // a part of it
  std::string field = {};  // of BadRequest; empty: none is expected
};

// A status of a plain stub as the client library would return it.
absl::Status FromStub(const grpc::Status& status);

// Three good samples of source "bad", which has none yet.
v1::TrainRequest GoodTrain();

// A daemon with the model "small", which has learnt a hundred samples of the source "good".
class BadInputTest : public ::testing::Test {
 protected:
  void SetUp() override;
  // Sends each and expects its code, message and field, and that nothing has changed.
  void TryAll(const std::vector<BadInput>& cases);

  Daemon daemon_;

 private:
  std::string Everything() const;  // all that bad input could have changed
};

}  // namespace tally::e2e

#endif  // TALLY_TESTS_DAEMON_E2E_BAD_INPUT_H_
