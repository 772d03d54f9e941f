// The logic `hostile`: what a bad day looks like. It is here to be stopped.

import { logic } from "@santokit/guest";

export default logic<object, never>(() => {
  for (;;);
});
