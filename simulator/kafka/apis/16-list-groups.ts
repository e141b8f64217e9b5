import { array, int16, int32, since, string, struct } from "#simulator/kafka/wire/codec.ts";
import { accessRefusal, clusterAccessRefusal } from "./authorization.ts";
import { defineApi } from "./define.ts";

/** All groups here use the classic protocol (KIP-848 names the types). */
const TYPE = "classic";

export const listGroups = defineApi({
  key: 16,
  name: "ListGroups",
  versions: [0, 5],
  flexibleFrom: 3,
  request: struct({
    statesFilter: since(4, array(string), []),
    typesFilter: since(5, array(string), []),
  }),
  response: struct({
    throttleTimeMs: since(1, int32, 0),
    errorCode: int16,
    groups: array(
      struct({
        groupId: string,
        protocolType: string,
        groupState: since(4, string, ""),
        groupType: since(5, string, ""),
      }),
    ),
  }),
  /** Each node lists the groups that it coordinates. */
  handle({ statesFilter, typesFilter }, context) {
    const { cluster, node } = context;
    const maySeeAll = clusterAccessRefusal(context, "DESCRIBE") === undefined;
    const maySee = (id: string): boolean =>
      maySeeAll || accessRefusal(context, "DESCRIBE", "GROUP", id) === undefined;
    const groups = cluster.groups
      .all()
      .filter((group) => maySee(group.id))
      .filter((group) => cluster.coordinatorOf(group.id) === node)
      .filter((group) => passes(statesFilter, group.state) && passes(typesFilter, TYPE))
      .map((group) => ({
        groupId: group.id,
        protocolType: group.protocolType ?? "",
        groupState: group.state,
        groupType: TYPE,
      }));
    return { errorCode: 0, groups };
  },
  refuse: (_request, error) => ({ errorCode: error, groups: [] }),
});

function passes(filter: readonly string[], value: string): boolean {
  const lower = value.toLowerCase();
  return filter.length === 0 || filter.some((wanted) => wanted.toLowerCase() === lower);
}
