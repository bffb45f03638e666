"""The words of moonhand-nano's questions, and the labels of sign-up, sign-in, settings, checkout and contact pages.

The training renderer and the small evaluation pages draw their labels from the first tuples and ask for them in
`WORDINGS`. What follows says how everything else is asked for, and what is kept out of training. All labels are ASCII,
one to five words, and unique within a group whatever their case; a label may stand in two groups ("Sign in" is a button
here and a link there).
"""

from typing import Final, Literal, get_args

Kind = Literal[
    "button",
    "link",
    "field",
    "checkbox",
    "radio",
    "switch",
    "tab",
    "menu",
    "option",
    "icon",
    "slider",
    "select",
    "cell",
    "text",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

BUTTONS: Final[tuple[str, ...]] = (
    "Sign up",
    "Sign in",
    "Log in",
    "Create account",
    "Register",
    "Get started",
    "Join now",
    "Continue",
    "Continue with Google",
    "Continue as guest",
    "Next",
    "Back",
    "Submit",
    "Send",
    "Send message",
    "Send code",
    "Verify",
    "Confirm",
    "Save",
    "Save changes",
    "Save and continue",
    "Update profile",
    "Change password",
    "Reset password",
    "Apply",
    "Apply coupon",
    "Cancel",
    "Close",
    "Done",
    "Finish",
    "Skip",
    "Clear",
    "Reset",
    "Delete account",
    "Add card",
    "Add address",
    "Add to cart",
    "Place order",
    "Pay now",
    "Buy now",
    "Checkout",
    "Search",
    "Subscribe",
    "Download",
    "Upload photo",
    "Try again",
    "Accept",
    "Decline",
    "Start free trial",
    "Book a demo",
)

LINKS: Final[tuple[str, ...]] = (
    "Sign in",
    "Sign up",
    "Log in",
    "Log out",
    "Forgot password?",
    "Forgot username?",
    "Create an account",
    "Already have an account?",
    "Resend code",
    "Privacy policy",
    "Terms of service",
    "Cookie settings",
    "Help",
    "Help center",
    "Contact us",
    "Support",
    "About",
    "About us",
    "Blog",
    "Careers",
    "Pricing",
    "Features",
    "Products",
    "Docs",
    "Home",
    "News",
    "FAQ",
    "Learn more",
    "Read more",
    "See plans",
    "View cart",
    "Return to shop",
    "Shipping and returns",
    "Change language",
    "English",
    "Accessibility",
    "Report a problem",
    "Need help?",
    "Skip for now",
    "Edit profile",
)

FIELDS: Final[tuple[str, ...]] = (
    "Full name",
    "First name",
    "Last name",
    "Username",
    "Display name",
    "Email",
    "Email address",
    "Password",
    "Confirm password",
    "New password",
    "Current password",
    "Phone",
    "Phone number",
    "Company",
    "Company name",
    "Job title",
    "Website",
    "Address",
    "Street address",
    "City",
    "State",
    "Region",
    "Country",
    "Postal code",
    "Zip code",
    "Date of birth",
    "Age",
    "Card number",
    "Name on card",
    "Expiry date",
    "Security code",
    "Coupon code",
    "Verification code",
    "Order number",
    "Quantity",
    "Subject",
    "Message",
    "Comments",
    "Bio",
    "Nickname",
    "Language",
    "Time zone",
    "Invite code",
    "Department",
    "Team name",
)

CHECKBOXES: Final[tuple[str, ...]] = (
    "I agree to the terms",
    "I accept the privacy policy",
    "I am over 18",
    "Remember me",
    "Keep me signed in",
    "Stay logged in",
    "Subscribe to updates",
    "Send me offers",
    "Email me news",
    "Text me updates",
    "Show password",
    "Save this card",
    "Save my address",
    "Use as billing address",
    "Ship to another address",
    "This is a gift",
    "Gift wrap",
    "Make profile public",
    "Hide my email",
    "Dark mode",
    "Enable notifications",
    "Play sounds",
    "Weekly summary",
    "Product tips",
    "Two-step verification",
    "Trust this device",
    "Share usage data",
    "Auto renew",
    "Send me a copy",
    "I am not a robot",
)

HEADINGS: Final[tuple[str, ...]] = (
    "Create your account",
    "Welcome back",
    "Welcome",
    "Sign in to continue",
    "Join us today",
    "Start your free trial",
    "Account settings",
    "Your profile",
    "Personal details",
    "Contact details",
    "Get in touch",
    "Payment details",
    "Billing information",
    "Shipping address",
    "Order summary",
    "Notifications",
    "Security",
    "Preferences",
    "Reset your password",
    "Verify your email",
    "Almost there",
    "Tell us about you",
    "Set up your team",
    "Your order",
    "Feedback",
)

TABS: Final[tuple[str, ...]] = (
    "Profile",
    "Account",
    "Billing",
    "Team",
    "Plans",
    "Orders",
    "Privacy",
    "General",
    "Payment",
    "Details",
)

WORDINGS: Final[dict[Kind, tuple[str, ...]]] = {
    "button": ("click {label}", "the {label} button"),
    "link": ("click {label}", "the {label} link"),
    "field": ("the {label} field", "click the {label} field"),
    "checkbox": ("the {label} check box", "tick {label}"),
}

# How a thing is asked for by its own words while training; each is a sentence of its own for every kind.
TRAIN_WORDINGS: Final[dict[Kind, tuple[str, ...]]] = {
    "button": ("{label}", "click {label}", 'click "{label}"', "the {label} button", "press {label}",
               "press the {label} button", "click the button {label}", "tap {label}"),
    "link": ("{label}", "click {label}", 'click "{label}"', "the {label} link", "open {label}", "follow {label}",
             "click the {label} link", "go to {label}"),
    "field": ("{label}", "the {label} field", "click the {label} field", "{label} field", "the {label} input",
              "the {label} box", 'the field "{label}"', "type into {label}"),
    "checkbox": ("{label}", "the {label} check box", "tick {label}", "click {label}", "check {label}",
                 'the check box "{label}"', "the {label} checkbox"),
    "radio": ("{label}", "the {label} radio button", "select {label}", "choose {label}", "pick {label}",
              'the option "{label}"', "the {label} option"),
    "switch": ("{label}", "the {label} switch", "turn on {label}", "turn off {label}", "switch {label}",
               "toggle {label}", 'the switch "{label}"'),
    "tab": ("{label}", "the {label} tab", "open the {label} tab", "switch to {label}", 'the tab "{label}"',
            "click {label}"),
    "menu": ("{label}", "the {label} menu", "open the {label} menu", "open {label}", 'click "{label}"',
             "click {label}"),
    "option": ("{label}", "choose {label}", "select {label}", "the {label} entry", "the {label} option", "open {label}",
               'select "{label}"', "click {label}"),
    "icon": ("the {label} icon", "{label} icon", "click the {label} icon", "the {label} button", "{label}"),
    "slider": ("{label}", "the {label} slider", "drag {label}", "the slider {label}", "change {label}"),
    "select": ("{label}", "the {label} list", "the {label} drop-down", "open {label}", "the {label} select box",
               'the drop-down "{label}"', "choose {label}"),
    "cell": ("{label}", "the cell {label}", "click {label}", 'the cell "{label}"', "select {label}"),
    "text": ("{label}", 'the text "{label}"', "click {label}", 'click "{label}"', "the words {label}",
             "the text {label}"),
}  # fmt: skip

# The same, kept for the evaluation: no training screen is asked about in these words.
HELD_OUT_WORDINGS: Final[dict[Kind, tuple[str, ...]]] = {
    "button": ("hit {label}", "please click on {label}", "use the button labelled {label}", "push {label}"),
    "link": ("take me to {label}", "please click on {label}", "visit {label}", "use the link called {label}"),
    "field": ("put the cursor into {label}", "the text box for {label}", "focus {label}", "where do I enter {label}?"),
    "checkbox": ("mark {label}", "the box beside {label}", "flip the check mark of {label}", "untick {label}"),
    "radio": ("go with {label}", "set it to {label}", "I want {label}"),
    "switch": ("flip {label}", "enable {label}", "the toggle for {label}"),
    "tab": ("show the tab called {label}", "bring {label} to the front", "change over to {label}"),
    "menu": ("pull down {label}", "unfold the menu {label}", "show what is under {label}"),
    "option": ("take {label}", "I would like {label}", "pick out {label}"),
    "icon": ("the symbol for {label}", "the little {label} picture", "hit the {label} symbol"),
    "slider": ("move {label}", "the handle of {label}", "adjust {label}"),
    "select": ("unfold {label}", "the choice of {label}", "show the choices for {label}"),
    "cell": ("the entry {label}", "find {label} in the table", "where is {label}?"),
    "text": ("find {label}", "where does it say {label}?", "point at {label}", "locate the words {label}"),
}

# What a kind is called; the first name stands in sentences of the evaluation too.
KIND_NAMES: Final[dict[Kind, tuple[str, ...]]] = {
    "button": ("button",), "link": ("link",), "field": ("field", "text field", "input"),
    "checkbox": ("check box", "checkbox"), "radio": ("radio button", "radio"), "switch": ("switch", "toggle"),
    "tab": ("tab",), "menu": ("menu",), "option": ("entry", "item"), "icon": ("icon",), "slider": ("slider",),
    "select": ("drop-down", "select box"), "cell": ("cell",), "text": ("text", "line"),
}  # fmt: skip

ORDINALS: Final[tuple[str, ...]] = ("first", "second", "third", "fourth", "fifth", "sixth")
KIND_WORDINGS: Final[tuple[str, ...]] = ("the {kind}", "click the {kind}", "{kind}", "the only {kind}")
POSITION_WORDINGS: Final[tuple[str, ...]] = (
    "the {place} {kind}", "click the {place} {kind}", "{place} {kind}", "choose the {place} {kind}",
)  # fmt: skip
RELATION_WORDINGS: Final[tuple[str, ...]] = (
    "the {kind} {relation} {label}", "click the {kind} {relation} {label}", '{kind} {relation} "{label}"',
)  # fmt: skip
ROW_WORDINGS: Final[tuple[str, ...]] = ("{label} in the row of {other}", "click {label} in the row of {other}")
UNDER_WORDINGS: Final[tuple[str, ...]] = ("{label} below {other}", "the {label} under {other}")
TABLE_WORDINGS: Final[tuple[str, ...]] = (
    "the {column} of {row}", "the cell {column} in the row of {row}", "{column} in the row of {row}",
)  # fmt: skip
READ_WORDINGS: Final[tuple[str, ...]] = (
    "read the text at x={x}, y={y}", "what does it say at x={x}, y={y}?", "the text at x={x}, y={y}",
)  # fmt: skip
LIST_WORDINGS: Final[tuple[str, ...]] = ("list the {kind}s", "read all {kind}s", "which {kind}s are there?")
READ_WORD_WORDINGS: Final[tuple[str, ...]] = ("read the word at x={x}, y={y}", "the word at x={x}, y={y}")

HELD_OUT_KIND_WORDINGS: Final[tuple[str, ...]] = ("where is the {kind}?", "use the {kind}", "please click the {kind}")
HELD_OUT_POSITION_WORDINGS: Final[tuple[str, ...]] = (
    "use the {place} {kind}", "please click the {place} {kind}", "go for the {place} {kind}",
)  # fmt: skip
HELD_OUT_RELATION_WORDINGS: Final[tuple[str, ...]] = (
    "use the {kind} {relation} {label}", "find the {kind} {relation} {label}", "which {kind} is {relation} {label}?",
)  # fmt: skip

# What an icon is called and what it does, by the name of its drawing. The first names are those of the drawings.
ICON_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "search": ("search", "find", "magnifier"), "menu": ("menu", "hamburger"), "close": ("close", "dismiss"),
    "plus": ("plus", "add", "new"), "minus": ("minus", "remove"), "trash": ("trash", "delete", "bin"),
    "pencil": ("pencil", "edit", "rename"), "settings": ("settings", "gear", "preferences"),
    "home": ("home", "house"), "user": ("user", "profile", "account", "person"),
    "bell": ("bell", "notifications", "alerts"), "heart": ("heart", "like", "love"),
    "star": ("star", "favorite", "rate"), "cart": ("cart", "shopping cart", "basket"),
    "download": ("download",), "upload": ("upload",), "share": ("share",), "mail": ("mail", "envelope", "messages"),
    "calendar": ("calendar", "schedule"), "clock": ("clock", "time", "history"),
    "lock": ("lock", "security", "padlock"), "eye": ("eye", "preview"), "play": ("play",), "pause": ("pause",),
    "stop": ("stop",), "next track": ("next track", "skip forward"), "arrow left": ("arrow left", "back"),
    "arrow right": ("arrow right", "forward"), "arrow up": ("arrow up", "move up"),
    "arrow down": ("arrow down", "move down"), "chevron left": ("chevron left", "previous"),
    "chevron right": ("chevron right",), "chevron up": ("chevron up", "collapse"),
    "chevron down": ("chevron down", "expand"), "check": ("check mark", "accept", "confirm", "done"),
    "refresh": ("refresh", "reload"), "info": ("info", "information", "about"), "question": ("question mark", "help"),
    "folder": ("folder", "directory"), "file": ("file", "document"), "link": ("chain", "copy link"),
    "camera": ("camera", "take a photo"), "microphone": ("microphone", "record", "voice"),
    "phone": ("phone", "call"), "globe": ("globe", "language", "web"), "more": ("more", "three dots", "options"),
    "filter": ("filter", "funnel"), "bookmark": ("bookmark", "save for later"),
    "image": ("image", "picture", "gallery"),
    "chat": ("chat", "comment", "speech bubble"), "flag": ("flag", "report"), "tag": ("tag", "label"),
    "pin": ("map pin", "location", "place"), "copy": ("copy", "duplicate"), "print": ("print", "printer"),
    "save": ("save", "floppy disk"), "undo": ("undo",), "redo": ("redo",), "volume": ("volume", "speaker", "sound"),
    "wifi": ("wifi", "wireless"), "battery": ("battery",), "sun": ("sun", "light mode", "brightness"),
    "moon": ("moon", "dark mode", "night"), "grid": ("grid", "apps"), "list": ("bullet list", "list view"),
    "chart": ("chart", "statistics", "bar chart"), "code": ("code", "source code"), "key": ("key", "password"),
    "send": ("send", "paper plane"), "attach": ("paper clip", "attach", "attachment"),
    "log out": ("log out", "sign out", "exit"), "full screen": ("full screen", "maximize"),
    "warning": ("warning", "error", "triangle"), "gift": ("gift", "present"), "card": ("credit card", "payment"),
    "shield": ("shield", "protection"), "cloud": ("cloud",), "trophy": ("trophy", "award"),
    "thumbs up": ("thumbs up",), "book": ("book", "read", "library"), "bag": ("bag", "shopping bag"),
    "people": ("people", "group", "team", "contacts"),
}  # fmt: skip

# Drawn in no training screen, alone or in a phrase: what an evaluation page shows that nano has not seen.
HELD_OUT_TEXTS: Final[tuple[str, ...]] = tuple(
    """
Amend booking|Acquire license|Adopt a puppy|Almond croissant|Ambient noise|Amber Lagoon|Antique lamps|Aperture
Appraisal|Aquarium|Arbitration|Archery club|Asphalt|Astronomy|Atrium|Auction house|Audition|Axis bounds|Bakery
Ballroom|Bamboo shelf|Barcode|Baroque|Basalt|Beekeeping|Benefactor|Berth 14|Beverages|Bezel|Biathlon|Blueberry jam
Bluff Cove|Bookbinding|Borrow|Botanical garden|Boulder|Braille|Brewery|Broth|Bungalow|Bypass valve|Calibrate
Canopy tour|Caravan|Cardinal|Cartography|Catering|Cedar Ridge|Ceramics|Chandelier|Chapel|Cheddar|Chess openings
Chimney|Chlorine|Choreography|Cinnamon rolls|Clarinet|Cobalt|Cockpit|Coastal path|Compost|Conductor|Confetti
Conjugate|Copper wire|Coral reef|Cosmonaut|Cottage|Crosswind|Cucumber|Curator|Cyclone|Dandelion|Daybreak|Debrief
Decathlon|Defibrillator|Delphi|Denim jackets|Dinghy|Dispatcher|Divide evenly|Dormitory|Dragonfly|Driftwood|Dunes
Dynamo|Earmark|Echo chamber|Eclipse|Elderflower|Embark|Embroidery|Emerald|Enclosure|Engrave|Ensemble|Ephemera
Espresso|Estuary|Excavate|Exhale|Falcon|Fathom|Fermentation|Ferry terminal|Fiddle|Fireplace|Fjord cruise|Flannel
Flotilla|Folklore|Forklift|Fountain pen|Foxglove|Freight|Fresco|Furnace|Galaxy map|Gargoyle|Gazebo|Geyser|Ginger tea
Glacier|Gondola|Granite|Gravel|Greenhouse|Gridlock|Grove|Gymnast|Hammock|Harpoon|Harvest|Hazelnut|Hedgehog|Heirloom
Helium|Hibiscus|Hinge|Hologram|Honeycomb|Hydrant|Iceberg|Ignition|Incense|Indigo|Inlet|Intermission|Irrigation|Ivory
Jasmine|Jigsaw|Jubilee|Juniper|Kayak rental|Kelp|Kerosene|Kiln|Lagoon|Lantern|Lathe|Lavender|Ledger|Lighthouse
Limestone|Lobster|Locksmith|Loom|Lullaby|Lynx|Magenta|Magnolia|Mandolin|Mangrove|Marathon|Marina|Marzipan|Meadow
Meridian|Meteor|Midwife|Millet|Mosaic|Mulberry|Mustard|Nebula|Nectar|Nimbus|Nutmeg|Oasis|Observatory|Octave|Olive grove
Opal|Orchard|Origami|Osprey|Otter|Paddock|Paprika|Parade|Parasol|Pavilion|Pebble|Peninsula|Percussion|Petroleum
Pewter|Picnic|Pigment|Pistachio|Plateau|Plumber|Polka|Porcelain|Prairie|Pumpkin|Quarry|Quartz|Quilt|Raft|Rapids
Raspberry|Ravine|Regatta|Rehearsal|Rhubarb|Riverbank|Rosemary|Rowing|Saddle|Saffron|Sandstone|Sapphire|Sawmill
Scaffold|Sculpture|Seaweed|Sediment|Sherpa|Shipwreck|Silo|Skylight|Sloop|Snorkel|Sonnet|Sorbet|Sparrow|Spindle
Stencil|Sundial|Swan Lake|Tapestry|Tariff|Teapot|Terrace|Thistle|Thunder|Tidal wave|Topaz|Trellis|Trombone|Tundra
Turbine|Turquoise|Tweed|Umbrella|Vanilla|Veranda|Vineyard|Violin|Volcano|Waffle|Walnut|Waterfall|Willow|Windmill
Woodland|Xylophone|Yarn|Yogurt|Zeppelin|Zinc
""".replace("\n", "|")
    .strip("|")
    .split("|")
)
HELD_OUT_WORDS: Final[frozenset[str]] = frozenset(word.lower() for text in HELD_OUT_TEXTS for word in text.split()) - {
    "a",
    "and",
    "club",
    "tour",
    "map",
    "house",
    "book",
    "license",
    "terminal",
    "pen",
    "tea",
    "wire",
    "noise",
    "path",
    "booking",
    "14",
    "wave",
    "lake",
    "valve",
    "bounds",
    "evenly",
    "garden",
    "lamps",
    "jackets",
    "shelf",
    "rental",
}
