// What a checkpoint says of the number formats of its weights.
#ifndef MOEC_IMPORTERS_QUANTIZATION_QUANTIZATION_H
#define MOEC_IMPORTERS_QUANTIZATION_QUANTIZATION_H

#include "importers/config/Config.h"

#include <optional>

namespace moec::importers {

/// Only what the tensors themselves do not tell. Which of them are quantised, how, and with scales of which type, their names,
/// types and shapes say; releases are known whose config says otherwise.
struct Quantization {
  /// Where the checkpoint says something about number formats, file and key; empty when it says nothing.
  std::string place = {};
  /// Rows and columns of a block that shares a scale; sizes that such a block does not divide leave smaller ones.
  struct Block {
    int64_t rows, columns;
  };
  std::optional<Block> block;
  /// Neighbours in a row that share a scale; `wholeRow` where all of a row do.
  std::optional<int64_t> group;
  static constexpr int64_t wholeRow = -1;
  /// Integers in words of 32 bits with zero points for groups beside them, as GPTQ and AWQ store them.
  struct Words {
    int64_t bits = 4;
    /// Neighbours in a column share a word, even ones first; else neighbours in a row.
    bool holdRowsInTurns = false;
    /// Whether groups have zero points of their own, and what is added to them; else `zeroPoint` is that of all.
    bool hasZeros = true;
    int64_t zeroPoint = 0;
    /// Whether each matrix says which columns are a group.
    bool listsGroups = false;
  };
  std::optional<Words> words;
};

/// `quantization_config`, which may be absent or null.
Quantization readQuantization(Config &config);

/// The contents of a `hf_quant_config.json`.
Quantization readQuantizationFile(Config &config);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_QUANTIZATION_QUANTIZATION_H
