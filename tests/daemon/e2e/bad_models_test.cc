// Goal: every kind of bad spec, checkpoint or call about models over the network gets its own
// answer, and changes nothing.
// Method: a table of named cases; each is sent to the real daemon and must return its status
// code, a message that says what was wrong, and the field to blame; afterwards the model's
// digest, its sources and the list of models are what they were.

#include <functional>
#include <sstream>

#include "client/cli/remote.h"
#include "core/text/strings.h"
#include "tests/daemon/e2e/bad_checkpoints.h"
#include "tests/daemon/e2e/bad_input.h"
#include "tests/daemon/e2e/small_world.h"

namespace tally::e2e {
namespace {

using absl::StatusCode;

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
    all.push_back({text::StrCat("create: ", c.name),
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
         return FromStub(world.models.Create(&context, request, &response));
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
    all.push_back({text::StrCat("import: ", c.name),
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

TEST_F(BadInputTest, BadSpecsAreRefusedAndLeaveNoTrace) { TryAll(SpecCases()); }

TEST_F(BadInputTest, BadCallsAboutModelsAreRefusedAndLeaveNoTrace) { TryAll(ModelCases()); }

TEST_F(BadInputTest, BadCheckpointFilesAreRefusedAndLeaveNoTrace) { TryAll(ImportCases()); }

}  // namespace
}  // namespace tally::e2e
