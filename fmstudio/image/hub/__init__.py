"""Flow-matching text-to-image models of the Hugging Face Hub, run on this machine by plain diffusers.

Nothing here is loaded or downloaded before somebody asks, and nothing but safetensors and diffusers' own
classes is ever loaded: no pickles, no remote code.

| chapter | question |
| --- | --- |
| `cards` | which models are on offer, and what is known of each |
| `describe` | what does a repository hold, and which of its files are needed |
| `machine` | what has this computer; and when its memory runs out |
| `plan` | does a model fit on it, and how |
| `consent` | what does the owner allow, and how does one get past a gate |
| `find` | what is here already, and how would it run: the outlook of a model |
| `fetch` | how does the rest arrive, to be stopped and taken up again |
| `load` | how does a folder become a model in memory, one large one at a time |
| `steps` | when are steps taken, what did each do, how straight were they |
| `looks` | what do x_t and x̂₀ look like on the way |
| `sample` | how is any of these models sampled, step by step |
| `rows` | the door: one prompt, several step counts |

The notation is that of `fmstudio.flow`: t = 0 is data, t = 1 is noise. diffusers calls the same t "sigma".
This module imports nothing.
"""
