// Answers its input.

import { logic } from "@santokit/guest";

export default logic((input) => input);
