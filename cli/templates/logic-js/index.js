// The logic `{{name}}`: called at `POST /logics/{{name}}`.

import { log, logic, LogicError } from "@santokit/guest";

export default logic((input) => {
  if (input.who === "") throw new LogicError("NOBODY", "say whom to greet");
  log.info("greeting", { who: input.who });
  return { greeting: `Hello, ${input.who}!` };
});
