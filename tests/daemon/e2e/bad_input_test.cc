// Goal: every kind of bad input over the network gets its own answer, and changes nothing.
// Method: a table of named cases; each is sent to the real daemon and must return its status code,
// a message that says what was wrong, and the field to blame; afterwards the model's digest,
// sequence and the list of models are what they were.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <sstream>

#include "client/cli/remote.h"
#include "core/algorithms/algorithms.h"
#include "inference/grpc_predict_v2.grpc.pb.h"
#include "tally/error_details.h"
#include "tally/train_session.h"
#include "tally/v1/models.grpc.pb.h"
#include "tally/v1/training.grpc.pb.h"
#include "tests/daemon/e2e/bad_checkpoints.h"
#include "tests/daemon/e2e/process.h"
#include "tests/daemon/e2e/small_world.h"

namespace tally::e2e {
namespace {

using absl::StatusCode;

// What a case has at hand: the plain stubs, since the client library would refuse some of it
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
  StatusCode code;
  std::string message;     // a part of it
  std::string field = {};  // of BadRequest; empty: none is expected
};

// ---- Training ----

v1::TrainRequest GoodTrain() {
  const Dataset dataset = SmallData(3, 7);
  v1::TrainRequest request;
  request.set_model("small");
  request.set_source("bad");
  request.mutable_samples()->set_first_sequence(1);
  request.mutable_samples()->set_rows(RowBytes(dataset, 0, 3));
  for (const uint32_t label : dataset.labels) request.mutable_samples()->add_labels(label);
  return request;
}

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
    return FromGrpcForTest(stream->Finish());
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
    all.push_back({"train: " + c.name, Train(c.edit), c.code, c.message, c.field});
    all.push_back({"stream: " + c.name, Stream(c.edit), c.code, c.message, c.field});
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
         return FromGrpcForTest(stream->Finish());
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

// ---- Inference ----

inference::ModelInferRequest GoodInfer() {
  inference::ModelInferRequest request;
  request.set_model_name("small");
  auto& input = *request.add_inputs();
  input.set_name("input");
  input.set_datatype("UINT8");
  input.add_shape(2);
  input.add_shape(12);
  request.add_raw_input_contents(std::string(24, 'x'));
  return request;
}

std::vector<BadInput> InferenceCases() {
  struct Case {
    std::string name;
    std::function<void(inference::ModelInferRequest&)> edit;
    StatusCode code;
    std::string message;
    std::string field;
  };
  const auto typed = [](auto& r) -> inference::InferTensorContents& {
    r.clear_raw_input_contents();
    return *r.mutable_inputs(0)->mutable_contents();
  };
  const std::vector<Case> cases = {
      {"unknown model", [](auto& r) { r.set_model_name("x"); }, StatusCode::kNotFound, "\"x\"", ""},
      {"bad version", [](auto& r) { r.set_model_version("latest"); }, StatusCode::kNotFound,
       "latest", ""},
      {"other version", [](auto& r) { r.set_model_version("999999"); }, StatusCode::kNotFound,
       "999999", ""},
      {"no input", [](auto& r) { r.clear_inputs(); }, StatusCode::kInvalidArgument, "0 tensors",
       "inputs"},
      {"two inputs", [](auto& r) { *r.add_inputs() = r.inputs(0); }, StatusCode::kInvalidArgument,
       "2 tensors", "inputs"},
      {"unknown input", [](auto& r) { r.mutable_inputs(0)->set_name("image"); },
       StatusCode::kInvalidArgument, "image", "inputs[0].name"},
      {"wrong datatype", [](auto& r) { r.mutable_inputs(0)->set_datatype("INT8"); },
       StatusCode::kInvalidArgument, "INT8", "inputs[0].datatype"},
      {"unknown datatype", [](auto& r) { r.mutable_inputs(0)->set_datatype("uint8"); },
       StatusCode::kInvalidArgument, "uint8", "inputs[0].datatype"},
      {"float tensor", [](auto& r) { r.mutable_inputs(0)->set_datatype("FP32"); },
       StatusCode::kInvalidArgument, "integers", "inputs[0].datatype"},
      {"double tensor", [](auto& r) { r.mutable_inputs(0)->set_datatype("FP64"); },
       StatusCode::kInvalidArgument, "integers", "inputs[0].datatype"},
      {"wrong shape", [](auto& r) { r.mutable_inputs(0)->set_shape(1, 13); },
       StatusCode::kInvalidArgument, "13", "inputs[0].shape"},
      {"no shape", [](auto& r) { r.mutable_inputs(0)->clear_shape(); },
       StatusCode::kInvalidArgument, "[rows, 3, 4]", "inputs[0].shape"},
      {"negative rows", [](auto& r) { r.mutable_inputs(0)->set_shape(0, -1); },
       StatusCode::kInvalidArgument, "-1", "inputs[0].shape"},
      {"too many rows", [](auto& r) { r.mutable_inputs(0)->set_shape(0, 4097); },
       StatusCode::kInvalidArgument, "4097", "inputs[0].shape"},
      {"short raw contents", [](auto& r) { r.mutable_raw_input_contents(0)->pop_back(); },
       StatusCode::kInvalidArgument, "23 bytes", "raw_input_contents[0]"},
      {"two raw contents", [](auto& r) { r.add_raw_input_contents("x"); },
       StatusCode::kInvalidArgument, "2 entries", "raw_input_contents"},
      {"mixed raw and typed",
       [](auto& r) { r.mutable_inputs(0)->mutable_contents()->add_uint_contents(1); },
       StatusCode::kInvalidArgument, "raw_input_contents", "inputs[0].contents"},
      {"neither raw nor typed", [](auto& r) { r.clear_raw_input_contents(); },
       StatusCode::kInvalidArgument, "missing", "inputs[0].contents"},
      {"float contents", [typed](auto& r) { typed(r).add_fp32_contents(0x3f800000); },
       StatusCode::kInvalidArgument, "uint_contents", "inputs[0].contents.fp32_contents"},
      {"elements in another field", [typed](auto& r) { typed(r).add_int_contents(1); },
       StatusCode::kInvalidArgument, "uint_contents", "inputs[0].contents.int_contents"},
      {"too few elements", [typed](auto& r) { typed(r).add_uint_contents(1); },
       StatusCode::kInvalidArgument, "1 elements", "inputs[0].contents.uint_contents"},
      {"element out of range",
       [typed](auto& r) {
         for (int i = 0; i < 24; ++i) typed(r).add_uint_contents(i == 5 ? 256 : 0);
       },
       StatusCode::kInvalidArgument, "256", "inputs[0].contents.uint_contents[5]"},
      {"unknown output", [](auto& r) { r.add_outputs()->set_name("logits"); },
       StatusCode::kInvalidArgument, "logits", "outputs[0].name"},
  };
  std::vector<BadInput> all;
  for (const Case& c : cases) {
    all.push_back({"infer: " + c.name,
                   [edit = c.edit](World& world) {
                     auto request = GoodInfer();
                     edit(request);
                     grpc::ClientContext context;
                     inference::ModelInferResponse response;
                     return FromGrpcForTest(
                         world.inference.ModelInfer(&context, request, &response));
                   },
                   c.code, c.message, c.field});
  }
  return all;
}

// ---- Models ----

std::vector<BadInput> SpecCases() {
  struct Case {
    std::string name;
    std::function<void(v1::ModelSpec&)> edit;
    std::string message;
    std::string field;
  };
  const std::vector<Case> cases = {
      {"unknown algorithm", [](auto& s) { s.set_algorithm("pocketnm"); }, "pocketnm",
       "spec.algorithm"},
      {"no input", [](auto& s) { s.clear_input(); }, "input", "spec.input"},
      {"float input", [](auto& s) { s.mutable_input()->set_type("float32"); }, "float32",
       "spec.input.type"},
      {"empty dimension", [](auto& s) { s.mutable_input()->set_shape(0, 0); }, "0",
       "spec.input.shape[0]"},
      {"too many elements",
       [](auto& s) {
         s.mutable_input()->add_shape(65536);
         s.mutable_input()->add_shape(65536);
       },
       "1048576", "spec.input.shape"},
      {"no layers", [](auto& s) { s.clear_layers(); }, "layers", "spec.layers"},
      {"one class", [](auto& s) { s.set_classes(1); }, "1", "spec.classes"},
      {"last layer without a unit a class", [](auto& s) { s.mutable_layers(1)->set_units(5); }, "5",
       "spec.layers[1].units"},
      {"unknown activation", [](auto& s) { s.mutable_layers(0)->set_activation("relu"); }, "relu",
       "spec.layers[0].activation"},
      {"too few labels", [](auto& s) { s.mutable_labels()->RemoveLast(); }, "3", "spec.labels"},
      {"mini-batch of none", [](auto& s) { s.set_batch_size(0); }, "0", "spec.batch_size"},
      {"no rate", [](auto& s) { s.clear_learning_rate(); }, "learning_rate", "spec.learning_rate"},
      {"rate of zero", [](auto& s) { s.mutable_learning_rate(0)->set_inverse(0); }, "0",
       "spec.learning_rate[0].inverse"},
      {"rates out of order", [](auto& s) { s.mutable_learning_rate(1)->set_from_step(0); },
       "more than the point before", "spec.learning_rate[1].from_step"},
      {"no schedule", [](auto& s) { s.set_schedule_steps(0); }, "schedule_steps",
       "spec.schedule_steps"},
      {"unknown profile", [](auto& s) { s.mutable_pocketnn()->set_profile("fast"); }, "fast",
       "spec.pocketnn.profile"},
  };
  std::vector<BadInput> all;
  for (const Case& c : cases) {
    all.push_back({"create: " + c.name,
                   [edit = c.edit](World& world) {
                     v1::ModelSpec spec = cli::SpecToMessage(SmallSpec());
                     edit(spec);
                     return world.client.Create("bad", spec).status();
                   },
                   StatusCode::kInvalidArgument, c.message, c.field});
  }
  return all;
}

std::vector<BadInput> ModelCases() {
  return {
      {"create: bad name",
       [](World& world) {
         return world.client.Create("../etc", cli::SpecToMessage(SmallSpec())).status();
       },
       StatusCode::kInvalidArgument, "../etc", "name"},
      {"create: name taken",
       [](World& world) {
         return world.client.Create("small", cli::SpecToMessage(SmallSpec())).status();
       },
       StatusCode::kAlreadyExists, "small"},
      {"create: neither spec nor zoo",
       [](World& world) {
         grpc::ClientContext context;
         v1::CreateRequest request;
         request.set_name("bad");
         v1::CreateResponse response;
         return FromGrpcForTest(world.models.Create(&context, request, &response));
       },
       StatusCode::kInvalidArgument, "zoo", "spec"},
      {"create: unknown network of the zoo",
       [](World& world) {
         return world.client.CreateFromZoo("bad", "pocketnn/mnist-mpl").status();
       },
       StatusCode::kNotFound, "pocketnn/mnist-mlp"},
      {"create: reference profile",
       [](World& world) {
         return world.client.CreateFromZoo("bad", "pocketnn/reference-mnist").status();
       },
       StatusCode::kFailedPrecondition, "tally fit"},
      {"create: more parameters than allowed",
       [](World& world) {
         v1::ModelSpec spec = cli::SpecToMessage(SmallSpec());
         spec.mutable_layers(0)->set_units(2000);
         spec.mutable_input()->clear_shape();
         spec.mutable_input()->add_shape(65536);
         return world.client.Create("bad", spec).status();
       },
       StatusCode::kResourceExhausted, "limits.parameters"},
      {"get: unknown model", [](World& world) { return world.client.Get("x").status(); },
       StatusCode::kNotFound, "\"x\""},
      {"delete: unknown model", [](World& world) { return world.client.Delete("x"); },
       StatusCode::kNotFound, "\"x\""},
      {"delete: no name", [](World& world) { return world.client.Delete(""); },
       StatusCode::kInvalidArgument, "name", "name"},
      {"checkpoint: unknown model",
       [](World& world) { return world.client.Checkpoint("x").status(); }, StatusCode::kNotFound,
       "\"x\""},
      {"rollback: unknown position",
       [](World& world) { return world.client.Rollback("small", 123456).status(); },
       StatusCode::kNotFound, "123456"},
      {"export: unknown position",
       [](World& world) {
         std::ostringstream out;
         return world.client.Export("small", 123456, out).status();
       },
       StatusCode::kNotFound, "123456"},
      {"export: unknown model",
       [](World& world) {
         std::ostringstream out;
         return world.client.Export("x", std::nullopt, out).status();
       },
       StatusCode::kNotFound, "\"x\""},
  };
}

std::vector<BadInput> ImportCases() {
  struct Case {
    std::string name;
    std::function<std::string(std::string)> spoil;
    StatusCode code;
    std::string message;
    std::string field;
  };
  const std::vector<Case> cases = {
      {"nothing", [](std::string) { return std::string(); }, StatusCode::kInvalidArgument,
       "expected a checkpoint", "chunk"},
      {"foreign bytes", [](std::string) { return std::string("PK\x03\x04 this is a zip file"); },
       StatusCode::kInvalidArgument, "header", "chunk"},
      {"foreign safetensors", [](std::string) { return ForeignSafetensors(); },
       StatusCode::kInvalidArgument, "", "chunk"},
      {"truncated header", [](std::string f) { return f.substr(0, 20); },
       StatusCode::kInvalidArgument, "of which 12 are there", "chunk"},
      {"truncated", [](std::string f) { return f.substr(0, f.size() - 1); }, StatusCode::kDataLoss,
       "", ""},
      {"trailing bytes", [](std::string f) { return f + "x"; }, StatusCode::kDataLoss, "", ""},
      {"bit flipped in the weights", [](std::string f) { return FlipBit(f, f.size() - 5); },
       StatusCode::kDataLoss, "digest", ""},
      {"bit flipped in the header", [](std::string f) { return FlipBit(f, 40); },
       StatusCode::kDataLoss, "", ""},
      {"floating-point tensors", WithFloatTensors, StatusCode::kDataLoss, "F16", ""},
  };
  std::vector<BadInput> all;
  for (const Case& c : cases) {
    all.push_back({"import: " + c.name,
                   [spoil = c.spoil](World& world) {
                     std::istringstream file(spoil(world.checkpoint));
                     return world.client.Import("bad", file).status();
                   },
                   c.code, c.message, c.field});
  }
  all.push_back({"import: bad name",
                 [](World& world) {
                   std::istringstream file(world.checkpoint);
                   return world.client.Import("Bad Name", file).status();
                 },
                 StatusCode::kInvalidArgument, "Bad Name", "name"});
  all.push_back({"import: name taken",
                 [](World& world) {
                   std::istringstream file(world.checkpoint);
                   return world.client.Import("", file).status();
                 },
                 StatusCode::kAlreadyExists, "small"});
  return all;
}

class BadInputTest : public ::testing::Test {
 protected:
  void SetUp() override {
    daemon_.Start();
    ASSERT_TRUE(daemon_.client().Create("small", cli::SpecToMessage(SmallSpec())).ok())
        << daemon_.log();
    const Dataset dataset = SmallData(100);
    auto session = *TrainSession::Open(daemon_.client(), {.model = "small", .source = "good"});
    ASSERT_TRUE(session->Send(RowBytes(dataset, 0, 100), dataset.labels).ok());
    ASSERT_TRUE(session->Finish().ok());
    ASSERT_TRUE(daemon_.client().Digest("small").ok());
  }

  void TryAll(const std::vector<BadInput>& cases) {
    auto channel = grpc::CreateChannel(daemon_.address(), grpc::InsecureChannelCredentials());
    const auto training = v1::Training::NewStub(channel);
    const auto models = v1::Models::NewStub(channel);
    const auto inference = inference::GRPCInferenceService::NewStub(channel);
    // Errors are looked at as they come: no patience.
    ClientOptions options;
    options.patience = std::chrono::milliseconds(0);
    const auto client = *Client::Connect(daemon_.address(), options);
    std::ostringstream checkpoint;
    ASSERT_TRUE(client->Export("small", std::nullopt, checkpoint).ok());
    World world{*client, *training, *models, *inference, checkpoint.str()};

    const std::string before = Everything();
    for (const BadInput& bad : cases) {
      SCOPED_TRACE(bad.name);
      const absl::Status status = bad.send(world);
      EXPECT_EQ(status.code(), bad.code) << status;
      EXPECT_NE(status.message().find(bad.message), std::string::npos)
          << "wanted \"" << bad.message << "\" in: " << status.message();
      const ErrorDetails details = DetailsOf(status);
      EXPECT_EQ(details.fields.empty() ? "" : details.fields[0].field, bad.field);
      EXPECT_EQ(Everything(), before);
    }
    EXPECT_NE(daemon_.pid(), 0);
  }

  // All that bad input could have changed.
  std::string Everything() const {
    const Client& client = daemon_.client();
    const auto digest = client.Digest("small");
    const auto source = client.GetSource("small", "good");
    const auto bad_source = client.GetSource("small", "bad");
    const auto models = client.List();
    if (!digest.ok() || !source.ok() || !bad_source.ok() || !models.ok()) return "unreadable";
    return digest->ShortDebugString() + source->ShortDebugString() +
           bad_source->ShortDebugString() + std::to_string(models->size());
  }

  Daemon daemon_;
};

TEST_F(BadInputTest, BadTrainingDataIsRefusedAndLeavesNoTrace) { TryAll(TrainingCases()); }
TEST_F(BadInputTest, BadTrainingCallsAreRefusedAndLeaveNoTrace) { TryAll(OtherTrainingCases()); }
TEST_F(BadInputTest, BadInferenceRequestsAreRefusedAndLeaveNoTrace) { TryAll(InferenceCases()); }
TEST_F(BadInputTest, BadSpecsAreRefusedAndLeaveNoTrace) { TryAll(SpecCases()); }
TEST_F(BadInputTest, BadCallsAboutModelsAreRefusedAndLeaveNoTrace) { TryAll(ModelCases()); }
TEST_F(BadInputTest, BadCheckpointFilesAreRefusedAndLeaveNoTrace) { TryAll(ImportCases()); }

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
  const absl::Status status = FromGrpcForTest(stream->Finish());
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("sequence 13"), std::string::npos) << status;
  EXPECT_EQ(last.accepted_through(), 12u);
  EXPECT_EQ(last.durable_through(), 12u);
}

}  // namespace
}  // namespace tally::e2e
