// Goal: every kind of bad training data over the network gets its own answer, and changes
// nothing.
// Method: a table of named cases; each is sent to the real daemon and must return its status
// code, a message that says what was wrong, and the field to blame; afterwards the model's
// digest, its sources and the list of models are what they were.

#include <functional>
#include <utility>

#include "core/text/strings.h"
#include "tests/daemon/e2e/bad_input.h"
#include "tests/daemon/e2e/small_world.h"

namespace tally::e2e {
namespace {

using absl::StatusCode;

using TrainEdit = std::function<void(v1::TrainRequest&)>;

// The same bad packet, alone.
std::function<absl::Status(World&)> Train(const TrainEdit& edit) {
  return [edit](World& world) {
    v1::TrainRequest request = GoodTrain();
    edit(request);
    return world.client.Train(request).status();
  };
}

// And as the first packet of a stream.
std::function<absl::Status(World&)> Stream(const TrainEdit& edit) {
  return [edit](World& world) {
    v1::TrainRequest train = GoodTrain();
    edit(train);
    v1::TrainStreamRequest request;
    request.set_model(train.model());
    request.set_source(train.source());
    if (train.has_samples()) *request.mutable_samples() = train.samples();
    request.set_durability(train.durability());
    grpc::ClientContext context;
    auto stream = world.training.TrainStream(&context);
    stream->Write(request);
    stream->WritesDone();
    v1::TrainStreamResponse response;
    while (stream->Read(&response)) {
    }
    return FromStub(stream->Finish());
  };
}

std::vector<BadInput> TrainingCases() {
  struct Case {
    std::string name;
    TrainEdit edit;
    StatusCode code;
    std::string message;
    std::string field;
  };
  const std::vector<Case> cases = {
      {"unknown model", [](auto& r) { r.set_model("smal"); }, StatusCode::kNotFound, "small", ""},
      {"no model", [](auto& r) { r.clear_model(); }, StatusCode::kInvalidArgument, "model",
       "model"},
      {"no source", [](auto& r) { r.clear_source(); }, StatusCode::kInvalidArgument, "source",
       "source"},
      {"bad source name", [](auto& r) { r.set_source("My Camera"); }, StatusCode::kInvalidArgument,
       "My Camera", "source"},
      {"source name too long", [](auto& r) { r.set_source(std::string(64, 'a')); },
       StatusCode::kInvalidArgument, "aaaa", "source"},
      {"no labels", [](auto& r) { r.mutable_samples()->clear_labels(); },
       StatusCode::kInvalidArgument, "labels", "samples.labels"},
      {"short row", [](auto& r) { r.mutable_samples()->mutable_rows()->pop_back(); },
       StatusCode::kInvalidArgument, "35 bytes", "samples.rows"},
      {"long row", [](auto& r) { r.mutable_samples()->mutable_rows()->push_back('x'); },
       StatusCode::kInvalidArgument, "37 bytes", "samples.rows"},
      {"no rows", [](auto& r) { r.mutable_samples()->clear_rows(); }, StatusCode::kInvalidArgument,
       "0 bytes", "samples.rows"},
      {"more labels than rows", [](auto& r) { r.mutable_samples()->add_labels(0); },
       StatusCode::kInvalidArgument, "expected 4 rows", "samples.rows"},
      {"label out of range", [](auto& r) { r.mutable_samples()->set_labels(1, 4); },
       StatusCode::kInvalidArgument, "below 4", "samples.labels[1]"},
      {"label of 32 bits", [](auto& r) { r.mutable_samples()->set_labels(2, UINT32_MAX); },
       StatusCode::kInvalidArgument, "4294967295", "samples.labels[2]"},
      {"sequence zero", [](auto& r) { r.mutable_samples()->set_first_sequence(0); },
       StatusCode::kInvalidArgument, "start at 1", "samples.first_sequence"},
      {"sequence gap", [](auto& r) { r.mutable_samples()->set_first_sequence(2); },
       StatusCode::kOutOfRange, "1", "samples.first_sequence"},
      {"sequence far ahead", [](auto& r) { r.mutable_samples()->set_first_sequence(1u << 30); },
       StatusCode::kOutOfRange, "1", "samples.first_sequence"},
      {"sequence that would wrap",
       [](auto& r) { r.mutable_samples()->set_first_sequence(UINT64_MAX); },
       StatusCode::kInvalidArgument, "2^63", "samples.first_sequence"},
      {"unknown durability", [](auto& r) { r.set_durability(static_cast<v1::Durability>(9)); },
       StatusCode::kInvalidArgument, "9", "durability"},
      {"too many rows",
       [](auto& r) {
         r.mutable_samples()->set_rows(std::string(4097 * 12, 'x'));
         r.mutable_samples()->clear_labels();
         for (int i = 0; i < 4097; ++i) r.mutable_samples()->add_labels(0);
       },
       StatusCode::kInvalidArgument, "4097 rows", "samples.labels"},
      {"message too large",
       [](auto& r) { r.mutable_samples()->set_rows(std::string(5 << 20, 'x')); },
       StatusCode::kInvalidArgument, "limits.message", ""},
      {"message above the transport's limit",
       [](auto& r) { r.mutable_samples()->set_rows(std::string(9 << 20, 'x')); },
       StatusCode::kResourceExhausted, "larger", ""},
  };
  std::vector<BadInput> all;
  for (const Case& c : cases) {
    all.push_back({text::StrCat("train: ", c.name), Train(c.edit), c.code, c.message, c.field});
    all.push_back({text::StrCat("stream: ", c.name), Stream(c.edit), c.code, c.message, c.field});
  }
  return all;
}

std::vector<BadInput> OtherTrainingCases() {
  const auto evaluate = [](const std::string& model, std::string rows,
                           std::vector<uint32_t> labels) {
    return [=](World& world) {
      bool sent = false;
      return world.client
          .Evaluate(model, 0,
                    [&](LabelledRows& packet) {
                      packet = {rows, labels};
                      return !std::exchange(sent, true);
                    })
          .status();
    };
  };
  return {
      {"train: no samples", Train([](auto& r) { r.clear_samples(); }), StatusCode::kInvalidArgument,
       "samples", "samples"},  // a stream may begin so
      {"stream: ends before its first message",
       [](World& world) {
         grpc::ClientContext context;
         auto stream = world.training.TrainStream(&context);
         stream->WritesDone();
         v1::TrainStreamResponse response;
         while (stream->Read(&response)) {
         }
         return FromStub(stream->Finish());
       },
       StatusCode::kInvalidArgument, "first message", "model"},
      {"get source: bad name",
       [](World& world) { return world.client.GetSource("small", "../x").status(); },
       StatusCode::kInvalidArgument, "../x", "source"},
      {"get source: unknown model",
       [](World& world) { return world.client.GetSource("x", "s").status(); },
       StatusCode::kNotFound, "\"x\""},
      {"flush: unknown model", [](World& world) { return world.client.Flush("x").status(); },
       StatusCode::kNotFound, "\"x\""},
      {"evaluate: unknown model", evaluate("x", "", {}), StatusCode::kNotFound, "\"x\""},
      {"evaluate: short row", evaluate("small", std::string(11, 'x'), {0}),
       StatusCode::kInvalidArgument, "11 bytes", "rows"},
      {"evaluate: label out of range", evaluate("small", std::string(12, 'x'), {4}),
       StatusCode::kInvalidArgument, "below 4", "labels[0]"},
  };
}

TEST_F(BadInputTest, BadTrainingDataIsRefusedAndLeavesNoTrace) { TryAll(TrainingCases()); }

TEST_F(BadInputTest, BadTrainingCallsAreRefusedAndLeaveNoTrace) { TryAll(OtherTrainingCases()); }

TEST_F(BadInputTest, ABadPacketInAStreamComesAfterTheAcknowledgementOfAllBeforeIt) {
  auto channel = grpc::CreateChannel(daemon_.address(), grpc::InsecureChannelCredentials());
  const auto training = v1::Training::NewStub(channel);
  grpc::ClientContext context;
  auto stream = training->TrainStream(&context);
  v1::TrainStreamRequest request;
  const v1::TrainRequest good = GoodTrain();
  request.set_model("small");
  request.set_source("mixed");
  for (uint64_t packet = 0; packet < 5; ++packet) {
    *request.mutable_samples() = good.samples();
    request.mutable_samples()->set_first_sequence(packet * 3 + 1);
    if (packet == 4) request.mutable_samples()->set_labels(1, 99);
    ASSERT_TRUE(stream->Write(request));
  }
  v1::TrainStreamResponse response;
  v1::SourceProgress last;
  while (stream->Read(&response)) last = response.progress();
  const absl::Status status = FromStub(stream->Finish());
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("sequence 13"), std::string::npos) << status;
  EXPECT_EQ(last.accepted_through(), 12u);
  EXPECT_EQ(last.durable_through(), 12u);
}

}  // namespace
}  // namespace tally::e2e
