// Goal: what clients of tally.v1.Models see on the wire: models made, listed, moved and removed.
// Method: a real server with real stubs over a socket pair; the models behind it are fakes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/learner/model_spec_reader.h"
#include "daemon/rpc/conversion.h"
#include "tests/daemon/rpc/test_server.h"

namespace tally::rpc {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ModelsServiceTest : public ::testing::Test {
 protected:
  ModelsServiceTest() : host_(server_.registry.Add(FakeSpec("digits"))) {}

  TestServer server_;
  std::shared_ptr<FakeHost> host_;
};

TEST_F(ModelsServiceTest, CreateReadsTheSpecStrictly) {
  v1::CreateRequest request;
  SpecToProto(FakeSpec("fresh"), *request.mutable_spec());
  request.mutable_spec()->mutable_layers(0)->set_units(70000);
  v1::CreateResponse response;
  Context context;
  const grpc::Status status = server_.models->Create(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const auto bad = DetailOf<google::rpc::BadRequest>(status);
  ASSERT_NE(bad, nullptr);
  EXPECT_EQ(bad->field_violations(0).field(), "spec.layers[0].units");
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("70000"), HasSubstr("65536")));
}

TEST_F(ModelsServiceTest, CreateMakesAModelFromASpecOrTheZooAndNamesIt) {
  v1::CreateRequest request;
  SpecToProto(FakeSpec("fresh"), *request.mutable_spec());
  request.set_name("renamed");
  v1::CreateResponse response;
  {
    Context context;
    ASSERT_TRUE(server_.models->Create(&context, request, &response).ok());
    EXPECT_EQ(response.model().spec().name(), "renamed");
    EXPECT_EQ(response.model().state(), v1::MODEL_STATE_READY);
    EXPECT_EQ(response.model().parameters(), 21u);
    EXPECT_EQ(response.model().memory_bytes(), 4711u);
  }
  {
    Context context;
    const grpc::Status status = server_.models->Create(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
    EXPECT_EQ(DetailOf<google::rpc::ResourceInfo>(status)->resource_name(), "renamed");
  }
  {
    Context context;
    request.set_zoo("pocketnn/mnist-mlpp");
    const grpc::Status status = server_.models->Create(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(ReasonOf(status), "ZOO_MODEL_NOT_FOUND");
  }
  {
    Context context;
    request.set_zoo("pocketnn/mnist-mlp");
    request.set_name("zoo");
    ASSERT_TRUE(server_.models->Create(&context, request, &response).ok());
    EXPECT_EQ(response.model().spec().classes(), 10u);
  }
  {
    Context context;
    request.clear_zoo();
    EXPECT_EQ(server_.models->Create(&context, request, &response).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(ModelsServiceTest, ASpecSurvivesTheWayToTheWireAndBack) {
  ModelSpec spec = FakeSpec("full", ElementType::kInt16);
  spec.preprocessing = {PreprocessingKind::kConstants, PreprocessingScope::kElement, 40,
                        {-5, 4, 3, 2, 1, 0},           {1, 2, 3, 4, 5, 65535},       0};
  spec.seed = UINT64_MAX;
  spec.batch_size = 64;
  spec.learning_rate = {{0, 1000}, {uint64_t{1} << 35, 2000}};
  spec.schedule_steps = uint64_t{1} << 40;
  spec.pocketnn.training = CreditAssignment::kBackPropagation;
  spec.pocketnn.update_rounding = UpdateRounding::kStochastic;
  v1::ModelSpec wire;
  SpecToProto(spec, wire);
  const auto back = SpecFromProto(wire);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(PrettySpec(*back), PrettySpec(spec));
}

TEST_F(ModelsServiceTest, ModelsAreListedShownAndDeleted) {
  server_.registry.Add(FakeSpec("ants"));
  v1::ListResponse list;
  Context list_context;
  ASSERT_TRUE(server_.models->List(&list_context, {}, &list).ok());
  ASSERT_EQ(list.models_size(), 2);
  EXPECT_EQ(list.models(0).spec().name(), "ants");
  v1::DeleteRequest request;
  request.set_name("ants");
  v1::DeleteResponse response;
  Context delete_context;
  ASSERT_TRUE(server_.models->Delete(&delete_context, request, &response).ok());
  Context again;
  EXPECT_EQ(server_.models->Delete(&again, request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(ModelsServiceTest, AnExportComesInChunksOfAtMostOneMebibyte) {
  Context context;
  v1::ExportRequest request;
  request.set_name("digits");
  const auto reader = server_.models->Export(&context, request);
  v1::ExportResponse response;
  std::vector<size_t> chunks;
  size_t infos = 0;
  while (reader->Read(&response)) {
    chunks.push_back(response.chunk().size());
    if (response.has_checkpoint()) ++infos;
  }
  ASSERT_TRUE(reader->Finish().ok());
  EXPECT_THAT(chunks, ElementsAre(1u << 20, 1u << 20, 3'000'000u - (2u << 20)));
  EXPECT_EQ(infos, 1u);
}

TEST_F(ModelsServiceTest, OneExportAtATimeHoldsACheckpointInMemory) {
  // Far more than the transport takes in before the client reads: the first one is not over.
  host_->SetCheckpointBytes(64 << 20);
  v1::ExportRequest request;
  request.set_name("digits");
  v1::ExportResponse response;
  {
    Context context;
    const auto slow = server_.models->Export(&context, request);
    ASSERT_TRUE(slow->Read(&response));
    Context second_context;
    const auto second = server_.models->Export(&second_context, request);
    EXPECT_FALSE(second->Read(&response));
    const grpc::Status status = second->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(ReasonOf(status), "TOO_MANY_EXPORTS");
    EXPECT_NE(DetailOf<google::rpc::RetryInfo>(status), nullptr);
    while (slow->Read(&response)) {
    }
    ASSERT_TRUE(slow->Finish().ok());
  }
  Context context;
  const auto next = server_.models->Export(&context, request);
  while (next->Read(&response)) {
  }
  EXPECT_TRUE(next->Finish().ok());
}

TEST_F(ModelsServiceTest, AnExportOfAPositionThatIsNotKeptIsNotFound) {
  Context context;
  v1::ExportRequest request;
  request.set_name("digits");
  request.set_position(21);
  const auto reader = server_.models->Export(&context, request);
  v1::ExportResponse response;
  EXPECT_FALSE(reader->Read(&response));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonOf(status), "CHECKPOINT_NOT_FOUND");
  EXPECT_EQ(DetailOf<google::rpc::ResourceInfo>(status)->resource_name(), "digits/21");
}

TEST_F(ModelsServiceTest, AnImportIsTheConcatenationOfItsChunks) {
  const auto import = [this](const std::vector<std::string>& chunks, v1::ImportResponse& response) {
    Context context;
    const auto writer = server_.models->Import(&context, &response);
    v1::ImportRequest request;
    request.set_name("copy");
    for (const std::string& chunk : chunks) {
      request.set_chunk(chunk);
      writer->Write(request);
      request.clear_name();
    }
    writer->WritesDone();
    return writer->Finish();
  };
  v1::ImportResponse response;
  ASSERT_TRUE(import({"a", "b", "cdef"}, response).ok());
  EXPECT_EQ(response.model().spec().labels(0), "abc");
  const grpc::Status damaged = import({"damaged"}, response);
  EXPECT_EQ(damaged.error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(ReasonOf(damaged), "CHECKPOINT_DAMAGED");
  const grpc::Status foreign = import({"foreign"}, response);
  EXPECT_EQ(foreign.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(foreign), "NO_CHECKPOINT");
  EXPECT_EQ(import({}, response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  server_.limits.parameters = 0;
  const grpc::Status large =
      import(std::vector<std::string>(20, std::string(1 << 20, 'x')), response);
  EXPECT_EQ(large.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(large), "FILE_TOO_LARGE");
}

TEST_F(ModelsServiceTest, OneImportAtATime) {
  v1::ImportRequest request;
  request.set_name("copy");
  request.set_chunk("abc");
  v1::ImportResponse response;
  std::unique_ptr<Context> first_context;
  std::unique_ptr<grpc::ClientWriter<v1::ImportRequest>> first;
  const auto begin = [&] {
    first.reset();
    first_context = std::make_unique<Context>();
    first = server_.models->Import(first_context.get(), &response);
    first->Write(request);
  };
  begin();
  // The first one is known to be under way once a second one is refused. It may as well have come
  // later than a second one and been refused itself; then it takes no more chunks.
  grpc::Status status;
  for (;;) {
    Context context;
    v1::ImportResponse ignored;
    const auto second = server_.models->Import(&context, &ignored);
    second->WritesDone();
    status = second->Finish();
    if (status.error_code() != grpc::StatusCode::INVALID_ARGUMENT) break;
    if (!first->Write(request)) begin();
  }
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(status), "TOO_MANY_IMPORTS");
  first->WritesDone();
  EXPECT_TRUE(first->Finish().ok());
}

}  // namespace
}  // namespace tally::rpc
