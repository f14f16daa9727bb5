/** Texts that Python fills in when it puts the script together (fmstudio/plots/script.py). */

/** The player's style sheet. */
export const STYLE = "";

/** The page around a scene that plays without a network: assets/offline.html. */
export const OFFLINE_PAGE = "";

/** The page's one script, as text that runs it again; empty where the modules are not linked to one. */
export const SCRIPT = "";
