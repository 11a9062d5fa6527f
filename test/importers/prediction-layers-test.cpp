// Layers that predict tokens beyond the next one: whole, or not there at all.
#include "dialects/moe/MoE.h"
#include "dialects/moe/PredictionLayers.h"
#include "importers/Importer.h"
#include "test/importers/ModelCopy.h"
#include "test/importers/TemporaryFolder.h"

#include "mlir/IR/MLIRContext.h"

#include "gtest/gtest.h"

using namespace moec;
using namespace moec::test;

namespace {

/// A checkpoint, of which a layer is copied as one that predicts, and what such a layer has beside that: tensors of `hidden` and
/// `vocabulary`, here written as H and V.
struct Kind {
  std::string checkpoint, from, to;
  std::vector<std::pair<std::string, std::string>> own;
  std::vector<std::string> optional;
  int64_t hidden, vocabulary;
};

const std::vector<std::pair<std::string, std::string>> joined = {{"enorm.weight", "[H]"},
                                                                 {"hnorm.weight", "[H]"},
                                                                 {"eh_proj.weight", "[H,2H]"},
                                                                 {"shared_head.norm.weight", "[H]"},
                                                                 {"shared_head.head.weight", "[V,H]"},
                                                                 {"embed_tokens.weight", "[V,H]"}};
/// Such a layer chooses positions itself, also where the model's last does not.
std::vector<std::pair<std::string, std::string>> withIndexer() {
  std::vector<std::pair<std::string, std::string>> own = joined;
  own.insert(own.end(), {{"self_attn.indexer.wq_b.weight", "[240,20]"},
                         {"self_attn.indexer.wk.weight", "[20,H]"},
                         {"self_attn.indexer.k_norm.weight", "[20]"},
                         {"self_attn.indexer.k_norm.bias", "[20]"},
                         {"self_attn.indexer.weights_proj.weight", "[12,H]"}});
  return own;
}

const std::vector<std::string> ends = {"shared_head.head.weight", "embed_tokens.weight"};

const Kind kinds[] = {
    {"deepseek_v3/a", "model.layers.2.", "model.layers.3.", joined, ends, 36, 60},
    {"deepseek_v3/fp8-block", "model.layers.1.", "model.layers.2.", joined, ends, 136, 60},
    {"deepseek_v32/a", "model.layers.1.", "model.layers.2.", joined, ends, 36, 60},
    {"glm4_moe/a", "model.layers.1.", "model.layers.2.", joined, ends, 36, 60},
    {"glm_moe_dsa/a", "model.layers.1.", "model.layers.2.", joined, ends, 36, 60},
    {"glm_moe_dsa/b", "model.layers.2.", "model.layers.3.", withIndexer(), ends, 38, 65}, // of attention without one
    {"deepseek_v4/a",
     "layers.2.",
     "mtp.0.",
     {{"enorm.weight", "[H]"},
      {"hnorm.weight", "[H]"},
      {"e_proj.weight", "[H,H]"},
      {"h_proj.weight", "[H,H]"},
      {"norm.weight", "[H]"},
      {"hc_head_base", "[4]"},
      {"hc_head_fn", "[4,4H]"},
      {"hc_head_scale", "[1]"},
      {"embed.weight", "[V,H]"},
      {"head.weight", "[V,H]"}},
     {"embed.weight", "head.weight"},
     24,
     60},
};

/// "[H,2H]" with its numbers.
std::string shapeOf(const Kind &kind, const std::string &words) {
  std::string result;
  for (char c : words) {
    int64_t size = c == 'H' ? kind.hidden : kind.vocabulary;
    if (c != 'H' && c != 'V') {
      result += c;
    } else if (isdigit(result.back())) {
      size *= result.back() - '0';
      result.pop_back();
      result += std::to_string(size);
    } else {
      result += std::to_string(size);
    }
  }
  return result;
}

/// The checkpoint with a layer that predicts.
ModelCopy withLayer(const Kind &kind) {
  ModelCopy copy(MOEC_TEST_DATA "/fixtures/checkpoints/" + kind.checkpoint);
  EXPECT_TRUE(copy.change("set num_nextn_predict_layers 1"));
  for (const std::string &name : copy.names())
    if (name.starts_with(kind.from) && name.find(".compressor.") == std::string::npos)
      EXPECT_TRUE(copy.change("copy " + name + " " + kind.to + name.substr(kind.from.size())));
  for (const auto &[name, shape] : kind.own)
    EXPECT_TRUE(copy.change("add " + kind.to + name + " BF16 " + shapeOf(kind, shape)));
  return copy;
}

/// What the importer says: of the layers, or why it refuses.
std::string said(const ModelCopy &copy, moe::PredictionLayers *found = nullptr) {
  const TemporaryFolder temporary;
  std::string folder = temporary.path() / "model";
  copy.write(folder);
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = importers::importModel(folder, context);
  if (!module)
    return llvm::toString(module.takeError());
  if (found)
    *found = moe::predictionLayersOf(**module);
  for (moe::WeightOp weight : (*module)->getOps<moe::WeightOp>())
    EXPECT_FALSE(weight.getSymName().contains("eh_proj") || weight.getSymName().contains("mtp.")) << weight.getSymName().str();
  return "";
}

/// A copy with a change.
ModelCopy changed(ModelCopy copy, const std::string &words) {
  EXPECT_TRUE(copy.change(words)) << words;
  return copy;
}

TEST(PredictionLayers, AreCountedWhenWhole) {
  for (const Kind &kind : kinds) {
    moe::PredictionLayers found;
    ModelCopy copy = withLayer(kind);
    EXPECT_EQ(said(copy, &found), "") << kind.checkpoint;
    EXPECT_EQ(found.layers, 1) << kind.checkpoint;
    EXPECT_EQ(found.absent, 0) << kind.checkpoint;
    for (const std::string &name : kind.optional)
      EXPECT_EQ(said(changed(copy, "remove " + kind.to + name)), "") << kind.checkpoint;
  }
}

TEST(PredictionLayers, LackNothingAndHaveNothingMore) {
  for (const Kind &kind : kinds) {
    ModelCopy copy = withLayer(kind);
    for (const std::string &name : copy.names()) {
      bool isOfLayer = name.starts_with(kind.to),
           isAnotherExpert = name.find(".experts.") != std::string::npos && name.find(".experts.1.") == std::string::npos;
      if (!isOfLayer || isAnotherExpert)
        continue;
      if (!llvm::is_contained(kind.optional, name.substr(kind.to.size())))
        EXPECT_NE(said(changed(copy, "remove " + name)).find(name + "'"), std::string::npos) << kind.checkpoint << ": " << name;
      EXPECT_NE(said(changed(copy, "shape " + name + " [3,5]")).find("'" + name + "': expected"), std::string::npos)
          << kind.checkpoint << ": " << name;
    }
    for (const char *name : {"norms.weight", "mlp.experts.99.up_proj.weight", "self_attn.other.weight", "rest"})
      EXPECT_NE(said(changed(copy, "add " + kind.to + name)).find(kind.to + name + "'"), std::string::npos)
          << kind.checkpoint << ": " << name;
    EXPECT_NE(said(changed(copy, "set num_nextn_predict_layers 0")).find("not part of the model"), std::string::npos);
  }
}

TEST(PredictionLayers, HaveAnIndexerWhereTheModelHas) {
  int checked = 0;
  for (const Kind &kind : kinds) {
    ModelCopy copy = withLayer(kind);
    std::string missing;
    for (const std::string &name : copy.names())
      if (name.starts_with(kind.to + "self_attn.indexer.")) {
        EXPECT_TRUE(copy.change("remove " + name));
        missing = name;
      }
    if (missing.empty())
      continue;
    EXPECT_NE(said(copy).find("tensor '" + kind.to + "self_attn.indexer."), std::string::npos) << kind.checkpoint;
    ++checked;
  }
  EXPECT_EQ(checked, 3);
}

/// Frequencies that old checkpoints stored are no layer, and no part of one.
TEST(PredictionLayers, AreMoreThanFrequencies) {
  for (const Kind &kind : kinds) {
    std::string name = kind.to + "self_attn.rotary_emb.inv_freq";
    ModelCopy without(MOEC_TEST_DATA "/fixtures/checkpoints/" + kind.checkpoint), with = withLayer(kind);
    EXPECT_TRUE(without.change("set num_nextn_predict_layers 1"));
    moe::PredictionLayers found, alone;
    EXPECT_EQ(said(changed(without, "add " + name), &alone), "") << kind.checkpoint;
    EXPECT_EQ(alone.layers, 0) << kind.checkpoint;
    EXPECT_EQ(alone.absent, 1) << kind.checkpoint;
    EXPECT_EQ(said(with, &found), "") << kind.checkpoint;
    EXPECT_EQ(said(changed(with, "add " + name), &alone), "") << kind.checkpoint;
    EXPECT_EQ(alone.parameters, found.parameters) << kind.checkpoint;
  }
}

/// Converted checkpoints may lack them although the config has them.
TEST(PredictionLayers, MayBeAbsent) {
  for (const Kind &kind : kinds) {
    ModelCopy copy(MOEC_TEST_DATA "/fixtures/checkpoints/" + kind.checkpoint);
    moe::PredictionLayers found;
    EXPECT_EQ(said(changed(copy, "set num_nextn_predict_layers 2"), &found), "") << kind.checkpoint;
    EXPECT_EQ(found.layers, 0) << kind.checkpoint;
    EXPECT_EQ(found.absent, 2) << kind.checkpoint;
    EXPECT_EQ(said(changed(copy, "drop num_nextn_predict_layers"), &found), "") << kind.checkpoint;
    EXPECT_EQ(found.absent, 0) << kind.checkpoint; // no one said that there are some
    copy.change("drop num_nextn_predict_layers");
    EXPECT_EQ(said(changed(copy, "set num_mtp_layers 2"), &found), "") << kind.checkpoint;
    EXPECT_EQ(found.absent, 2) << kind.checkpoint;
  }
}

/// Some families count modules, and say apart from it whether there are any. In what form they would lie in files, no release
/// shows.
TEST(PredictionLayers, MayBeCalledModules) {
  ModelCopy copy(MOEC_TEST_DATA "/fixtures/checkpoints/minimax_m2/a");
  moe::PredictionLayers found;
  EXPECT_EQ(said(changed(copy, "set num_mtp_modules 3"), &found), "");
  EXPECT_EQ(found.absent, 0); // as use_mtp is false
  EXPECT_TRUE(copy.change("set use_mtp true"));
  EXPECT_TRUE(copy.change("set mtp_transformer_layers 1"));
  EXPECT_EQ(said(changed(copy, "set num_mtp_modules 3"), &found), "");
  EXPECT_EQ(found.layers, 0);
  EXPECT_EQ(found.absent, 3);
  EXPECT_NE(said(changed(copy, "set num_mtp_modules -1")).find("num_mtp_modules: expected an integer from 0"), std::string::npos);
  EXPECT_NE(said(changed(copy, "set use_mtp 1")).find("use_mtp: expected true or false"), std::string::npos);
  EXPECT_TRUE(copy.change("set num_mtp_modules 3"));
  EXPECT_NE(said(changed(copy, "add model.layers.2.self_attn.q_proj.weight"))
                .find("'model.layers.2.self_attn.q_proj.weight' is not part"),
            std::string::npos);
}

/// Where only the model itself was quantised anew, they may be left as they were released: in blocks.
TEST(PredictionLayers, MayBeInAnotherFormat) {
  const Kind &kind = kinds[1];
  ModelCopy copy = withLayer(kind);
  for (const std::string &name : copy.names())
    if (name.ends_with(".weight_scale_inv") && !name.starts_with(kind.to))
      EXPECT_TRUE(copy.change("add " + name + " F32 [1]")); // one for the whole matrix
  EXPECT_TRUE(copy.change("drop quantization_config.weight_block_size"));
  EXPECT_EQ(said(copy), "");
  std::string name = kind.to + "self_attn.o_proj.weight_scale_inv";
  EXPECT_NE(said(changed(copy, "shape " + name + " [3,1]")).find("'" + name + "': expected a scale"), std::string::npos);
}

} // namespace
