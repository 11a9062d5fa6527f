// Sums of counters.
#include "runtime/devices/emulator/Counters.h"

using namespace moec::runtime::emulator;

void Counters::add(const Counters &other) {
  blocks += other.blocks;
  instructions += other.instructions;
  globalBytesLoaded += other.globalBytesLoaded;
  globalBytesStored += other.globalBytesStored;
  globalSectorsLoaded += other.globalSectorsLoaded;
  globalSectorsStored += other.globalSectorsStored;
  uniqueSectorsLoaded += other.uniqueSectorsLoaded;
  globalAtomics += other.globalAtomics;
  sharedAccesses += other.sharedAccesses;
  bankConflicts += other.bankConflicts;
  barriers += other.barriers;
  for (unsigned shape = 0; shape < matrixShapes; ++shape)
    matrixOperations[shape] += other.matrixOperations[shape];
}
