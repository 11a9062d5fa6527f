// A module of PTX, decoded once: functions, instructions with their operands resolved, variables with their addresses.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_MODULE_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_MODULE_H

#include "runtime/Status.h"
#include "runtime/devices/emulator/Types.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace moec::runtime::emulator {

constexpr unsigned laneCount = 32;
using LaneMask = uint32_t; ///< one bit a lane
constexpr LaneMask allLanes = ~LaneMask(0);

class Warp;
struct Instruction;

/// Executes one instruction for the active lanes of a warp.
using Execute = void (*)(Warp &warp, const Instruction &instruction);

/// Where a value lies: one element a lane, side by side; a predicate is a mask of lanes. Values are in the registers of a frame or,
/// where bit 0 of the offset is set, among the module's constants.
struct Slot {
  uint32_t offset = 0; ///< in bytes
  uint32_t index = 0;  ///< of the mask that says for which lanes it has been written; 0 is always written
};

constexpr uint32_t noTarget = ~uint32_t(0);

/// What each field but the first ones means is told by the decoder of the instruction's family.
struct Instruction {
  Execute execute = nullptr;
  uint32_t firstOperand = 0; ///< among the module's slots: results, then sources
  uint8_t results = 0;
  uint8_t sources = 0;
  uint8_t strict = 0;     ///< the first sources that must have been written; others only pass on that they have not
  bool ownShadow = false; ///< says itself which lanes of its results have been written
  bool guarded = false;   ///< runs where `guard` holds, or does not when `negated`
  bool negated = false;
  Slot guard;
  uint32_t line = 0;
  uint32_t target = noTarget;        ///< of a branch: an instruction; of a call: a function; of an indexed branch: a table
  uint32_t reconvergence = noTarget; ///< of a branch: where its paths meet again
  int64_t offset = 0;                ///< added to an address
  int64_t sourceOffset = 0;          ///< of a copy: added to the address that it reads
  Space space = Space::generic;
  Type type = Type::none;
  uint8_t bytes = 0;              ///< of one element in memory
  uint8_t elements = 1;           ///< of a vector
  uint8_t registerBytes = 0;      ///< of one element in its register
  uint8_t addressBytes = 8;       ///< of the register that holds an address
  uint8_t sourceAddressBytes = 8; ///< likewise, of the address that a copy reads
  uint8_t mode = 0;               ///< of the family
  bool isIndexedBranch = false;   ///< `target` is a table
  bool strong = false;            ///< a memory operation that may meet others of its kind
  bool releases = false;          ///< tells what came before to those who acquire
  bool acquires = false;          ///< learns what the values it reads tell
  Scope scope = Scope::device;    ///< of a strong operation or a fence
};

struct Parameter {
  std::string name;
  uint32_t offset = 0; ///< of an entry: in the parameters' bytes; of a function: its address in local memory
  uint32_t bytes = 0;
};

/// A register that is written before a frame starts.
struct SpecialUse {
  uint8_t special = 0; ///< SpecialRegister
  Slot slot;
};

struct Function {
  std::string name;
  bool isEntry = false;
  bool isDefined = false;
  std::vector<Parameter> parameters, returns;
  uint32_t parameterBytes = 0;
  uint32_t begin = 0, end = 0;                         ///< instructions
  uint32_t registerBytes = 0;                          ///< of one frame
  uint32_t slotCount = 1;                              ///< masks of a frame
  uint32_t depthRegisterBytes = 0, depthSlotCount = 0; ///< with the deepest chain of callees
  uint32_t localBytes = 0;                             ///< of a lane; entries only
  uint32_t sharedBytes = 0;                            ///< static; entries only
  std::array<uint32_t, 3> requiredThreads{}, maximumThreads{};
  std::vector<SpecialUse> specials;
  std::vector<uint32_t> callees;
  /// Where dynamic shared memory starts: behind the static, as aligned as the largest access needs.
  uint32_t dynamicSharedStart() const { return (sharedBytes + 127) / 128 * 128; }
};

/// A variable of the module in memory that all kernels see.
struct Variable {
  std::string name;
  bool readOnly = false;
  uint64_t bytes = 0;
  std::unique_ptr<std::byte[]> storage;
  std::byte *data = nullptr; ///< aligned, in `storage`
};

struct Module {
  std::string name;
  std::string text;
  std::vector<Function> functions;
  std::vector<Instruction> instructions;
  std::vector<Slot> slots;
  std::vector<std::vector<uint32_t>> branchTables;
  std::vector<std::byte> constants;
  std::vector<std::unique_ptr<Variable>> variables;
  uint32_t functionLocalBytes = 0; ///< parameters and variables of functions that are no entries

  const Function *entry(std::string_view name) const;
  /// A line of the text, trimmed.
  std::string_view lineText(uint32_t line) const;
};

/// Decodes a module. Anything unknown is an error that names the instruction and its line; `name` stands for the file.
Result<std::unique_ptr<Module>> parseModule(std::string_view text, std::string_view name);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_MODULE_H
