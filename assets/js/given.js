/** Texts that Python fills in when it puts the script together (fmstudio/plots/script.py). */

/** The player's style sheet. */
export const STYLE = "";

/** The page around a scene that plays without a network: assets/offline.html. */
export const OFFLINE_PAGE = "";
