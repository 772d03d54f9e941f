// The logic `{{name}}`: called at `POST /logics/{{name}}`.

import { log, logic, LogicError } from "@santokit/guest";

interface Input {
  who: string;
}

interface Output {
  greeting: string;
}

export default logic<Input, Output>((input) => {
  if (input.who === "") throw new LogicError("NOBODY", "say whom to greet");
  log.info("greeting", { who: input.who });
  return { greeting: `Hello, ${input.who}!` };
});
