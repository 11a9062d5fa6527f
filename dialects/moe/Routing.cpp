// What #moe.routing means beyond its parameters.
#include "dialects/moe/Routing.h"

using namespace moec::moe;

bool moec::moe::choosesByLogits(RoutingAttr routing, bool hasBias) {
  return routing.getScore() == Score::Sigmoid && !hasBias && routing.getGroups() == 1;
}
