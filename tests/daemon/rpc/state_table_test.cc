// Goal: every call answers in every model state exactly as the table in proto/README.md says.
// Method: the table is read from the file; each cell is tried over a real connection with a model
// put into that
//         state.

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "tests/daemon/rpc/test_server.h"

namespace tally::rpc {
namespace {

using Cells = std::vector<std::string>;

Cells SplitRow(const std::string& line) {
  Cells cells;
  std::istringstream stream(line.substr(1));
  for (std::string cell; std::getline(stream, cell, '|');) {
    const size_t begin = cell.find_first_not_of(' ');
    const size_t end = cell.find_last_not_of(' ');
    cells.push_back(begin == std::string::npos ? "" : cell.substr(begin, end - begin + 1));
  }
  return cells;
}

// The rows of the table whose heading begins with "call"; the heading first.
std::vector<Cells> ReadTable() {
  std::ifstream file(std::string(TALLY_SOURCE_DIR) + "/proto/README.md");
  std::vector<Cells> rows;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| call |")) inside = true;
    if (!line.starts_with("|")) inside = false;
    if (inside && !line.starts_with("|---")) rows.push_back(SplitRow(line));
  }
  return rows;
}

std::string CodeName(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return "OK";
    case grpc::StatusCode::UNAVAILABLE:
      return "UNAVAILABLE";
    case grpc::StatusCode::FAILED_PRECONDITION:
      return "FAILED_PRECONDITION";
    case grpc::StatusCode::DATA_LOSS:
      return "DATA_LOSS";
    default:
      return "code " + std::to_string(code);
  }
}

struct Situation {
  hosting::ModelState state;
  bool snapshot;
};

const std::map<std::string, Situation>& Situations() {
  static const std::map<std::string, Situation> situations = {
      {"CREATING", {hosting::ModelState::kCreating, false}},
      {"CALIBRATING", {hosting::ModelState::kCalibrating, false}},
      {"REPLAYING", {hosting::ModelState::kReplaying, false}},
      {"READY", {hosting::ModelState::kReady, true}},
      {"DRAINING", {hosting::ModelState::kDraining, true}},
      {"FAILED, serving", {hosting::ModelState::kFailed, true}},
      {"FAILED", {hosting::ModelState::kFailed, false}},
  };
  return situations;
}

class StateTableTest : public ::testing::Test {
 protected:
  grpc::Status Train() {
    Context context;
    v1::TrainRequest request;
    request.set_model("m");
    request.set_source("s");
    *request.mutable_samples() = MakeSamples(1, 1);
    v1::TrainResponse response;
    return server_.training->Train(&context, request, &response);
  }
  grpc::Status TrainStream() {
    Context context;
    const auto stream = server_.training->TrainStream(&context);
    v1::TrainStreamRequest request;
    request.set_model("m");
    request.set_source("s");
    *request.mutable_samples() = MakeSamples(1, 1);
    stream->Write(request);
    stream->WritesDone();
    v1::TrainStreamResponse response;
    while (stream->Read(&response)) {
    }
    return stream->Finish();
  }
  grpc::Status Evaluate() {
    Context context;
    v1::EvaluateResponse response;
    const auto writer = server_.training->Evaluate(&context, &response);
    v1::EvaluateRequest request;
    request.set_model("m");
    request.set_rows(std::string(6, '\1'));
    request.add_labels(1);
    writer->Write(request);
    writer->WritesDone();
    return writer->Finish();
  }
  grpc::Status Export() {
    Context context;
    v1::ExportRequest request;
    request.set_name("m");
    request.set_position(20);
    const auto reader = server_.models->Export(&context, request);
    v1::ExportResponse response;
    while (reader->Read(&response)) {
    }
    return reader->Finish();
  }
  // A unary call whose request names the model by `set`.
  template <typename Request, typename Response, typename Stub>
  std::function<grpc::Status()> Unary(Stub* stub,
                                      grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                   const Request&, Response*),
                                      std::function<void(Request&)> set) {
    return [stub, method, set] {
      Context context;
      Request request;
      set(request);
      Response response;
      return (stub->*method)(&context, request, &response);
    };
  }

  std::map<std::string, std::function<grpc::Status()>> Calls() {
    v1::Training::Stub* training = server_.training.get();
    v1::Models::Stub* models = server_.models.get();
    inference::GRPCInferenceService::Stub* infer = server_.inference.get();
    const auto by_name = [](auto& request) { request.set_name("m"); };
    return {
        {"Train", [this] { return Train(); }},
        {"TrainStream", [this] { return TrainStream(); }},
        {"Evaluate", [this] { return Evaluate(); }},
        {"Export", [this] { return Export(); }},
        {"GetSource", Unary<v1::GetSourceRequest, v1::GetSourceResponse>(
                          training, &v1::Training::Stub::GetSource,
                          [](auto& request) {
                            request.set_model("m");
                            request.set_source("s");
                          })},
        {"Flush",
         Unary<v1::FlushRequest, v1::FlushResponse>(training, &v1::Training::Stub::Flush,
                                                    [](auto& request) { request.set_model("m"); })},
        {"Get", Unary<v1::GetRequest, v1::GetResponse>(models, &v1::Models::Stub::Get, by_name)},
        {"Delete",
         Unary<v1::DeleteRequest, v1::DeleteResponse>(models, &v1::Models::Stub::Delete, by_name)},
        {"Checkpoint", Unary<v1::CheckpointRequest, v1::CheckpointResponse>(
                           models, &v1::Models::Stub::Checkpoint, by_name)},
        {"ListCheckpoints", Unary<v1::ListCheckpointsRequest, v1::ListCheckpointsResponse>(
                                models, &v1::Models::Stub::ListCheckpoints, by_name)},
        {"Rollback",
         Unary<v1::RollbackRequest, v1::RollbackResponse>(models, &v1::Models::Stub::Rollback,
                                                          [](auto& request) {
                                                            request.set_name("m");
                                                            request.set_position(20);
                                                          })},
        {"Digest",
         Unary<v1::DigestRequest, v1::DigestResponse>(models, &v1::Models::Stub::Digest, by_name)},
        {"ModelReady", Unary<inference::ModelReadyRequest, inference::ModelReadyResponse>(
                           infer, &inference::GRPCInferenceService::Stub::ModelReady, by_name)},
        {"ModelMetadata",
         Unary<inference::ModelMetadataRequest, inference::ModelMetadataResponse>(
             infer, &inference::GRPCInferenceService::Stub::ModelMetadata, by_name)},
        {"ModelInfer", Unary<inference::ModelInferRequest, inference::ModelInferResponse>(
                           infer, &inference::GRPCInferenceService::Stub::ModelInfer,
                           [](auto& request) { request = MakeInferRequest("m"); })},
    };
  }

  std::shared_ptr<FakeHost> Prepare(const Situation& situation) {
    const auto host = server_.registry.Add(FakeSpec("m"));
    host->SetState(situation.state, "why");
    host->SetSnapshot(situation.snapshot);
    return host;
  }

  TestServer server_;
};

TEST_F(StateTableTest, EveryCellOfTheTableHolds) {
  const std::vector<Cells> table = ReadTable();
  const auto calls = Calls();
  ASSERT_EQ(table.size(), calls.size() + 1);
  const Cells& heading = table[0];
  ASSERT_EQ(heading.size(), Situations().size() + 1);
  for (size_t row = 1; row < table.size(); ++row) {
    const std::string& call = table[row][0];
    ASSERT_TRUE(calls.contains(call)) << call;
    for (size_t column = 1; column < heading.size(); ++column) {
      Prepare(Situations().at(heading[column]));
      const grpc::Status status = calls.at(call)();
      EXPECT_EQ(CodeName(status.error_code()), table[row][column])
          << call << " while " << heading[column] << ": " << status.error_message();
      if (!status.ok()) {
        EXPECT_NE(status.error_message().find("why"), std::string::npos)
            << call << ": " << status.error_message();
      }
    }
  }
}

TEST_F(StateTableTest, DamageTurnsFailedPreconditionIntoDataLoss) {
  for (const auto& [name, call] : Calls()) {
    const auto host = Prepare({hosting::ModelState::kFailed, false});
    const grpc::Status before = call();
    server_.registry.Add(FakeSpec("m"));
    Prepare({hosting::ModelState::kFailed, false})->SetFailure(absl::StatusCode::kDataLoss);
    const grpc::Status after = call();
    const bool refused = before.error_code() == grpc::StatusCode::FAILED_PRECONDITION;
    EXPECT_EQ(CodeName(after.error_code()), refused ? "DATA_LOSS" : "OK") << name;
  }
}

TEST_F(StateTableTest, ARefusedModelCanOnlyBeLookedAtExportedAndDeleted) {
  const std::vector<std::string> allowed = {"Delete",          "Export",     "Get",
                                            "ListCheckpoints", "ModelReady", "ModelMetadata"};
  for (const auto& [name, call] : Calls()) {
    Prepare({hosting::ModelState::kReady, true});
    server_.catalog.Expect("m", [](const ModelSpec&) { return "the spec differs"; });
    const grpc::Status status = call();
    const bool ok = std::find(allowed.begin(), allowed.end(), name) != allowed.end();
    EXPECT_EQ(CodeName(status.error_code()), ok ? "OK" : "FAILED_PRECONDITION") << name;
    EXPECT_EQ(ReasonOf(status), ok ? "" : "SPEC_DIFFERS") << name;
  }
}

TEST_F(StateTableTest, AnExpectedSpecIsComparedOnceAndRefusesNothingIfItIsTheStoredOne) {
  Prepare({hosting::ModelState::kReady, true});
  int asked = 0;
  server_.catalog.Expect("m", [&asked](const ModelSpec& stored) -> std::optional<std::string> {
    ++asked;
    if (stored.name == "m") return std::nullopt;
    return "the spec differs";
  });
  for (const auto& [name, call] : Calls()) {
    Prepare({hosting::ModelState::kReady, true});
    EXPECT_EQ(CodeName(call().error_code()), "OK") << name;
  }
  EXPECT_EQ(asked, 1);
}

TEST_F(StateTableTest, WhileTheDaemonDrainsEveryCallIsUnavailable) {
  Prepare({hosting::ModelState::kReady, true});
  server_.server->BeginDrain();
  for (const auto& [name, call] : Calls()) {
    const grpc::Status status = call();
    EXPECT_EQ(CodeName(status.error_code()), "UNAVAILABLE") << name;
    EXPECT_EQ(ReasonOf(status), "SERVER_DRAINING") << name;
    EXPECT_NE(DetailOf<google::rpc::RetryInfo>(status), nullptr) << name;
  }
}

}  // namespace
}  // namespace tally::rpc
