// Goal: what clients see on the wire: answers, error details, health, reflection, streams, limits.
// Method: a real server with real stubs over a socket pair; the models behind it are fakes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "daemon/rpc/conversion.h"
#include "tests/daemon/rpc/test_server.h"

namespace tally::rpc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() : host_(server_.registry.Add(FakeSpec("digits"))) {}

  grpc::Status Train(const v1::Samples& samples, v1::TrainResponse& response,
                     const std::string& model = "digits") {
    Context context;
    v1::TrainRequest request;
    request.set_model(model);
    request.set_source("camera");
    *request.mutable_samples() = samples;
    return server_.training->Train(&context, request, &response);
  }
  // 1 SERVING, 2 NOT_SERVING, -1 unknown: the raw bytes of grpc.health.v1.
  int Health(const std::string& service) {
    Context context;
    std::string request(1, '\x0a');
    request.push_back(static_cast<char>(service.size()));
    request += service;
    const std::string answer = Call("/grpc.health.v1.Health/Check", request, status_);
    if (!status_.ok()) return -1;
    return answer.size() < 2 ? 0 : answer[1];
  }
  std::string Call(const std::string& method, const std::string& request, grpc::Status& status) {
    Context context;
    grpc::GenericStub stub(server_.channel);
    grpc::CompletionQueue queue;
    const grpc::Slice slice(request);
    const grpc::ByteBuffer sent(&slice, 1);
    grpc::ByteBuffer received;
    const auto call = stub.PrepareUnaryCall(&context, method, sent, &queue);
    call->StartCall();
    call->Finish(&received, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    std::vector<grpc::Slice> slices;
    if (status.ok()) received.Dump(&slices);
    std::string bytes;
    for (const grpc::Slice& part : slices) bytes.append(part.begin(), part.end());
    return bytes;
  }

  TestServer server_;
  std::shared_ptr<FakeHost> host_;
  grpc::Status status_;
};

TEST_F(ServerTest, TrainAnswersWhatWasKept) {
  v1::TrainResponse response;
  ASSERT_TRUE(Train(MakeSamples(1, 4), response).ok());
  EXPECT_EQ(response.accepted(), 4u);
  EXPECT_EQ(response.skipped(), 0u);
  EXPECT_EQ(response.progress().durable_through(), 4u);
  EXPECT_EQ(response.progress().next_sequence(), 5u);
  ASSERT_TRUE(Train(MakeSamples(3, 4), response).ok());
  EXPECT_EQ(response.accepted(), 2u);
  EXPECT_EQ(response.skipped(), 2u);
}

TEST_F(ServerTest, AnUnknownModelIsNotFoundWithItsName) {
  v1::TrainResponse response;
  const grpc::Status status = Train(MakeSamples(1, 1), response, "letters");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonOf(status), "MODEL_NOT_FOUND");
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->domain(), "tally");
  const auto resource = DetailOf<google::rpc::ResourceInfo>(status);
  ASSERT_NE(resource, nullptr);
  EXPECT_EQ(resource->resource_type(), "model");
  EXPECT_EQ(resource->resource_name(), "letters");
}

TEST_F(ServerTest, ABadFieldIsNamedByItsPath) {
  v1::Samples samples = MakeSamples(1, 2);
  samples.set_labels(1, 7);
  v1::TrainResponse response;
  const grpc::Status status = Train(samples, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "LABEL_OUT_OF_RANGE");
  const auto bad = DetailOf<google::rpc::BadRequest>(status);
  ASSERT_NE(bad, nullptr);
  ASSERT_EQ(bad->field_violations_size(), 1);
  EXPECT_EQ(bad->field_violations(0).field(), "samples.labels[1]");
  EXPECT_EQ(bad->field_violations(0).reason(), "LABEL_OUT_OF_RANGE");
  EXPECT_THAT(bad->field_violations(0).description(), HasSubstr("7; expected a class below 3"));
  EXPECT_EQ(DetailOf<google::rpc::RetryInfo>(status), nullptr);
}

TEST_F(ServerTest, ASequenceGapTellsProgramsTheNextSequence) {
  v1::TrainResponse response;
  ASSERT_TRUE(Train(MakeSamples(1, 2), response).ok());
  const grpc::Status status = Train(MakeSamples(9, 1), response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->reason(), "SEQUENCE_GAP");
  EXPECT_EQ(info->metadata().at("next_sequence"), "3");
  EXPECT_EQ(info->metadata().at("first_sequence"), "9");
}

TEST_F(ServerTest, AFullTrainingQueueSaysWhenToComeBack) {
  host_->SetRoom(false);
  v1::TrainResponse response;
  const grpc::Status status = Train(MakeSamples(1, 1), response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(status), "TRAINING_QUEUE_FULL");
  const auto retry = DetailOf<google::rpc::RetryInfo>(status);
  ASSERT_NE(retry, nullptr);
  EXPECT_EQ(retry->retry_delay().seconds(), 0);
  EXPECT_EQ(retry->retry_delay().nanos(), 100000000);
}

TEST_F(ServerTest, ACallWaitingForTheDiskEndsAtItsDeadline) {
  host_->SetDurableAtOnce(false);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  v1::TrainRequest request;
  request.set_model("digits");
  request.set_source("camera");
  *request.mutable_samples() = MakeSamples(1, 1);
  v1::TrainResponse response;
  EXPECT_EQ(server_.training->Train(&context, request, &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(ServerTest, AStreamIsAcknowledgedAndEndsWell) {
  Context context;
  const auto stream = server_.training->TrainStream(&context);
  v1::TrainStreamRequest request;
  request.set_model("digits");
  request.set_source("camera");
  for (uint64_t i = 0; i < 100; ++i) {
    *request.mutable_samples() = MakeSamples(1 + 2 * i, 2);
    ASSERT_TRUE(stream->Write(request));
  }
  stream->WritesDone();
  v1::TrainStreamResponse response;
  uint64_t durable = 0;
  while (stream->Read(&response)) {
    EXPECT_GE(response.progress().durable_through(), durable);
    durable = response.progress().durable_through();
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(durable, 200u);
  EXPECT_EQ(host_->packets().size(), 100u);
}

TEST_F(ServerTest, ABadPacketInAStreamIsNamedOnTheWire) {
  Context context;
  const auto stream = server_.training->TrainStream(&context);
  v1::TrainStreamRequest request;
  request.set_model("digits");
  request.set_source("camera");
  *request.mutable_samples() = MakeSamples(1, 2);
  ASSERT_TRUE(stream->Write(request));
  request.mutable_samples()->set_first_sequence(3);
  request.mutable_samples()->set_rows("short");
  stream->Write(request);
  v1::TrainStreamResponse response;
  uint64_t durable = 0;
  while (stream->Read(&response)) durable = response.progress().durable_through();
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(durable, 2u);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("samples from sequence 3"));
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status)->metadata().at("first_sequence"), "3");
}

TEST_F(ServerTest, StreamsBeyondTheLimitAreTurnedAwayUntilOneEnds) {
  server_.limits.streams = 1;
  v1::TrainStreamResponse response;
  {
    Context context;
    const auto first = server_.training->TrainStream(&context);
    v1::TrainStreamRequest request;
    request.set_model("digits");
    request.set_source("camera");
    first->Write(request);
    ASSERT_TRUE(first->Read(&response));
    Context second_context;
    const auto second = server_.training->TrainStream(&second_context);
    EXPECT_FALSE(second->Read(&response));
    const grpc::Status status = second->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(ReasonOf(status), "TOO_MANY_STREAMS");
    EXPECT_NE(DetailOf<google::rpc::RetryInfo>(status), nullptr);
    first->WritesDone();
    while (first->Read(&response)) {
    }
    EXPECT_TRUE(first->Finish().ok());
  }
  Context context;
  const auto third = server_.training->TrainStream(&context);
  v1::TrainStreamRequest request;
  request.set_model("digits");
  request.set_source("camera");
  third->Write(request);
  third->WritesDone();
  while (third->Read(&response)) {
  }
  EXPECT_TRUE(third->Finish().ok());
}

TEST_F(ServerTest, AStreamThatIsTurnedAwayMayBeCancelledAtOnce) {
  server_.limits.streams = 1;
  v1::TrainStreamRequest request;
  request.set_model("digits");
  request.set_source("camera");
  v1::TrainStreamResponse response;
  Context first_context;
  const auto first = server_.training->TrainStream(&first_context);
  first->Write(request);
  ASSERT_TRUE(first->Read(&response));
  for (int i = 0; i < 200; ++i) {
    Context context;
    const auto second = server_.training->TrainStream(&context);
    context.TryCancel();
    EXPECT_FALSE(second->Finish().ok());
  }
  // The server lives, and still counts one stream.
  Context context;
  const auto another = server_.training->TrainStream(&context);
  EXPECT_FALSE(another->Read(&response));
  EXPECT_EQ(ReasonOf(another->Finish()), "TOO_MANY_STREAMS");
  first->WritesDone();
  while (first->Read(&response)) {
  }
  EXPECT_TRUE(first->Finish().ok());
}

TEST(BufferedServerTest, AStreamThatDoesNotSayIsToldWhenItsPacketsAreDurable) {
  TestServer server({.version = "1.2.3", .buffered_by_default = true});
  const auto host = server.registry.Add(FakeSpec("digits"));
  host->SetDurableAtOnce(false);
  Context context;
  const auto stream = server.training->TrainStream(&context);
  v1::TrainStreamRequest request;
  request.set_model("digits");
  request.set_source("camera");
  *request.mutable_samples() = MakeSamples(1, 2);
  ASSERT_TRUE(stream->Write(request));
  v1::TrainStreamResponse response;
  do {
    ASSERT_TRUE(stream->Read(&response));
  } while (response.progress().accepted_through() < 2);
  EXPECT_EQ(response.progress().durable_through(), 0u);
  host->MakeDurable();
  // A client that keeps its packets until they are durable does not end the stream before.
  while (response.progress().durable_through() < 2) ASSERT_TRUE(stream->Read(&response));
  stream->WritesDone();
  while (stream->Read(&response)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServerTest, ADrainEndsStreamsAfterTheirAcknowledgements) {
  host_->SetDurableAtOnce(false);
  Context context;
  const auto stream = server_.training->TrainStream(&context);
  v1::TrainStreamRequest request;
  request.set_model("digits");
  request.set_source("camera");
  *request.mutable_samples() = MakeSamples(1, 2);
  stream->Write(request);
  v1::TrainStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  server_.server->BeginDrain();
  host_->MakeDurable();
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(response.progress().durable_through(), 2u);
}

TEST_F(ServerTest, AClientThatGoesAwayLeavesNoListenerBehind) {
  host_->SetDurableAtOnce(false);
  {
    Context context;
    const auto stream = server_.training->TrainStream(&context);
    v1::TrainStreamRequest request;
    request.set_model("digits");
    request.set_source("camera");
    *request.mutable_samples() = MakeSamples(1, 2);
    stream->Write(request);
    v1::TrainStreamResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(host_->listeners(), 1u);
    context.TryCancel();
    while (stream->Read(&response)) {
    }
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  while (host_->listeners() != 0) std::this_thread::yield();
}

TEST_F(ServerTest, EvaluateCountsPerClass) {
  Context context;
  v1::EvaluateResponse response;
  const auto writer = server_.training->Evaluate(&context, &response);
  v1::EvaluateRequest request;
  request.set_model("digits");
  request.set_rows(std::string(6, '\1') + std::string(6, '\2'));
  request.add_labels(1);
  request.add_labels(1);
  writer->Write(request);
  request.clear_model();
  writer->Write(request);
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(response.total(), 4u);
  EXPECT_EQ(response.correct(), 2u);
  EXPECT_EQ(response.classes(1).total(), 4u);
  EXPECT_EQ(response.classes(1).correct(), 2u);
  EXPECT_EQ(response.classes(2).predicted(), 2u);
  EXPECT_EQ(response.loss(), 2 * (6 + 1));  // the fake's loss is the score of the label
  EXPECT_EQ(response.model_version(), "40");
}

TEST_F(ServerTest, WaitingEvaluatesHoldUpNoOtherCallAndAreLimited) {
  struct Waiting {
    Context context;
    v1::EvaluateResponse response;
    std::unique_ptr<grpc::ClientWriter<v1::EvaluateRequest>> writer;
  };
  v1::EvaluateRequest request;
  request.set_model("digits");
  request.set_min_position(41);
  request.set_rows(std::string(6, '\1'));
  request.add_labels(1);
  std::vector<std::unique_ptr<Waiting>> calls;
  for (int i = 0; i < 5; ++i) {
    calls.push_back(std::make_unique<Waiting>());
    Waiting& call = *calls.back();
    call.writer = server_.training->Evaluate(&call.context, &call.response);
    call.writer->Write(request);
    call.writer->WritesDone();
  }
  // Four wait, so one of the five is turned away, and until then none has ended.
  std::atomic<int> turned_away = 0;
  std::atomic<int> ended = 0;
  std::vector<std::thread> threads;
  for (const auto& call : calls) {
    threads.emplace_back([&] {
      const grpc::Status status = call->writer->Finish();
      if (ReasonOf(status) == "TOO_MANY_CALLS") ++turned_away;
      ++ended;
    });
  }
  while (ended == 0) std::this_thread::yield();
  EXPECT_EQ(turned_away, 1);
  Context context;
  v1::FlushRequest flush;
  flush.set_model("digits");
  v1::FlushResponse flushed;
  EXPECT_TRUE(server_.training->Flush(&context, flush, &flushed).ok());
  server_.server->BeginDrain();  // ends those that wait
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(turned_away, 1);
}

TEST_F(ServerTest, EvaluateWaitsForItsPositionWithinTheDeadline) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  v1::EvaluateResponse response;
  const auto writer = server_.training->Evaluate(&context, &response);
  v1::EvaluateRequest request;
  request.set_model("digits");
  request.set_min_position(41);
  request.set_rows(std::string(6, '\1'));
  request.add_labels(1);
  writer->Write(request);
  writer->WritesDone();
  EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(ServerTest, EvaluateCountsEveryRowOfAMessageThatNeedsManySlices) {
  ModelSpec spec = FakeSpec("wide");
  spec.classes = 300;
  spec.labels.clear();
  server_.registry.Add(spec);
  Context context;
  v1::EvaluateResponse response;
  const auto writer = server_.training->Evaluate(&context, &response);
  v1::EvaluateRequest request;
  request.set_model("wide");
  constexpr uint32_t kRows = 3000;  // of 300 scores each: many times what a slice may have
  for (uint32_t row = 0; row < kRows; ++row) {
    request.mutable_rows()->append(6, static_cast<char>(row % 100));
    request.add_labels(1);
  }
  writer->Write(request);
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(response.total(), kRows);
  EXPECT_EQ(response.classes(1).total(), kRows);
}

TEST_F(ServerTest, TheServerIntroducesItself) {
  inference::ServerMetadataResponse metadata;
  Context context;
  ASSERT_TRUE(server_.inference->ServerMetadata(&context, {}, &metadata).ok());
  EXPECT_EQ(metadata.name(), "tally");
  EXPECT_EQ(metadata.version(), "1.2.3");
  EXPECT_THAT(metadata.extensions(), ElementsAre("tally.v1.Training", "tally.v1.Models"));
  inference::ServerLiveResponse live;
  Context live_context;
  ASSERT_TRUE(server_.inference->ServerLive(&live_context, {}, &live).ok());
  EXPECT_TRUE(live.live());
}

TEST_F(ServerTest, TheServerIsReadyWhenNoModelIsBeingRecovered) {
  const auto ready = [this] {
    inference::ServerReadyResponse response;
    Context context;
    EXPECT_TRUE(server_.inference->ServerReady(&context, {}, &response).ok());
    return response.ready();
  };
  EXPECT_TRUE(ready());
  host_->SetState(hosting::ModelState::kReplaying);
  EXPECT_FALSE(ready());
  host_->SetState(hosting::ModelState::kFailed);
  EXPECT_TRUE(ready());
  server_.server->BeginDrain();
  EXPECT_FALSE(ready());
}

TEST_F(ServerTest, TheMetadataListsKeptAndCurrentVersions) {
  inference::ModelMetadataRequest request;
  request.set_name("digits");
  inference::ModelMetadataResponse response;
  Context context;
  ASSERT_TRUE(server_.inference->ModelMetadata(&context, request, &response).ok());
  EXPECT_THAT(response.versions(), ElementsAre("20", "40"));
  EXPECT_EQ(response.platform(), "tally_safetensors");
  EXPECT_EQ(response.properties().at("classes"), "3");
  request.set_version("20");
  Context old_context;
  EXPECT_EQ(server_.inference->ModelMetadata(&old_context, request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServerTest, AnInferenceErrorCarriesItsField) {
  inference::ModelInferRequest request = MakeInferRequest("digits");
  request.mutable_inputs(0)->set_datatype("FP32");
  inference::ModelInferResponse response;
  Context context;
  const grpc::Status status = server_.inference->ModelInfer(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "FLOATING_POINT_TENSOR");
  EXPECT_EQ(DetailOf<google::rpc::BadRequest>(status)->field_violations(0).field(),
            "inputs[0].datatype");
}

TEST_F(ServerTest, OurMessageLimitExplainsItselfAndTheTransportLimitStandsBehindIt) {
  inference::ModelInferRequest request = MakeInferRequest("digits");
  request.set_raw_input_contents(0, std::string(5 << 20, 'x'));
  inference::ModelInferResponse response;
  {
    Context context;
    const grpc::Status status = server_.inference->ModelInfer(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(ReasonOf(status), "MESSAGE_TOO_LARGE");
  }
  request.set_raw_input_contents(0, std::string(9 << 20, 'x'));
  Context context;
  EXPECT_EQ(server_.inference->ModelInfer(&context, request, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ServerTest, HealthFollowsRecoveryModelsAndDrain) {
  EXPECT_EQ(Health(""), 2);
  server_.health.SetServing(true);
  for (const char* service :
       {"", "tally.v1.Training", "tally.v1.Models", "inference.GRPCInferenceService"}) {
    EXPECT_EQ(Health(service), 1) << service;
  }
  EXPECT_EQ(Health("tally.model/digits"), -1);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::NOT_FOUND);
  server_.health.SetModel("digits", true);
  EXPECT_EQ(Health("tally.model/digits"), 1);
  server_.health.SetModel("digits", false);  // deleted: gRPC cannot forget the name
  EXPECT_EQ(Health("tally.model/digits"), 2);
  server_.health.RefuseModel("letters");
  server_.health.SetModel("letters", true);
  EXPECT_EQ(Health("tally.model/letters"), 2);
  server_.health.SetModel("digits", true);
  server_.health.Drain();
  EXPECT_EQ(Health(""), 2);
  EXPECT_EQ(Health("tally.model/digits"), 2);
}

TEST_F(ServerTest, AModelMadeAfterARefusedOneWasDeletedIsServed) {
  server_.catalog.Expect("digits", [](const ModelSpec&) { return "the specs differ"; });
  server_.health.RefuseModel("digits");
  v1::TrainResponse trained;
  EXPECT_EQ(ReasonOf(Train(MakeSamples(1, 1), trained)), "SPEC_DIFFERS");
  Context context;
  v1::DeleteRequest request;
  request.set_name("digits");
  v1::DeleteResponse response;
  ASSERT_TRUE(server_.models->Delete(&context, request, &response).ok());
  server_.registry.Add(FakeSpec("digits"));
  server_.health.SetModel("digits", true);
  EXPECT_EQ(Health("tally.model/digits"), 1);
  EXPECT_TRUE(Train(MakeSamples(1, 1), trained).ok());
}

// The method exists (and ends without an answer) exactly when reflection is on.
TEST(ReflectionTest, IsThereWhenAskedForAndOnlyThen) {
  for (const bool on : {true, false, true}) {
    TestServer server({.version = "1", .reflection = on});
    Context context;
    grpc::GenericStub stub(server.channel);
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(
        &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
    void* tag = nullptr;
    bool ok = false;
    call->StartCall(nullptr);
    queue.Next(&tag, &ok);
    call->WritesDone(nullptr);
    queue.Next(&tag, &ok);
    grpc::Status status;
    call->Finish(&status, nullptr);
    queue.Next(&tag, &ok);
    EXPECT_EQ(status.error_code(), on ? grpc::StatusCode::OK : grpc::StatusCode::UNIMPLEMENTED);
  }
}

}  // namespace
}  // namespace tally::rpc
