"""What the large evaluation pages say: shops, news, mail, settings, documentation; training screens say little of it.

All texts are ASCII. Labels within one group differ, whatever their case.
"""

from __future__ import annotations

from typing import Final


def _split(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.replace("\n", " ").split("|") if part.strip()))


# fmt: off
BRANDS: Final = _split("""
Pebblestone | Tallow & Wick | Marrowby | Oakenshade | Vantage Nine | Brightwater | Halcyon | Sundry Co | Mistral
""")

GOODS: Final = _split("""
Walnut teapot | Linen apron | Copper kettle | Oak stool | Brass lantern | Wool blanket | Clay planter | Canvas satchel |
Bamboo tray | Marble bookend | Velvet cushion | Rattan chair | Cork coaster set | Enamel mug | Glass carafe |
Leather apron | Steel thermos | Cotton hammock | Paper lampshade | Olive spoon | Soap dish | Pine birdhouse |
Felt slippers | Maple chessboard | Beeswax candle | Jute rug | Stone mortar | Wicker hamper | Tin watering can |
Silk scarf | Cedar chest | Bone china saucer | Folding easel | Pewter flask | Quilted jacket | Ceramic whistle |
Garden trowel | Picnic cooler | Wooden tortoise | Bicycle pannier
""")
SHELVES: Final = _split("""
Kitchenware | Outdoors | Stationery | Lighting | Textiles | Homeware | Woodwork | Ceramics | Glassware | Gardening |
Basketry | Nursery | Antiques | Camping | Bath linen | Candles | Rugs | Toys and puzzles | Wall decor | Seasonal
""")
MATERIALS: Final = _split("""
Walnut | Oak | Brass | Linen | Stoneware | Bamboo | Wicker | Pewter | Leather | Cork | Slate | Rattan | Velvet |
Marble
""")
SHOP_ACTIONS: Final = _split("""
Grab one | Put in hamper | Reserve mine | Enquire | Peek inside | Bag it | Choose a tint | Compare weights
""")

HEADLINES: Final = _split("""
Harbour crews tow stranded ferry home | Village bakes its longest loaf | Orchard frost spares the plums |
Old observatory opens its dome | Choir rehearses under a leaking roof | Glacier gives back a lost compass |
Otters return to the mill stream | The clockmaker who repairs tides | Night trains roll north once more |
A quarry becomes a swimming lake | Beekeepers welcome an early spring | Students map every bench in town |
Lighthouse lamp turns two hundred | Rain fills the empty reservoirs | The island without street lamps |
How to fold a paper albatross | Who moved the bronze giraffe? | Volcano naps, tourists tiptoe
""")
SECTIONS: Final = _split("""
Harvest | Seafaring | Wildlife | Astronomy | Theatre | Cookery | Railways | Parliament | Obituaries | Cartoons |
Crosswords | Opinion pages | Mountaineering | Antiquities | Weather maps | Chess corner | Letters page | Farming
""")
AUTHORS: Final = _split("""
Imogen Thackeray | Casper Lindqvist | Odile Marchetti | Barnaby Quill | Tamsin Okonjo | Ruben Valdivia |
Petra Halvorsen | Yusuf Demirci | Marguerite Blythe | Anselm Kerr | Freya Winterbourne | Lorcan Haggerty |
Saskia de Wit | Thaddeus Pym | Nadira Qureshi | Cosima Brandt | Idris Pemberton | Beatrix Oyelaran | Fergus Macready |
Zelda Montrose | Horatio Bligh | Wilhelmina Stroud
""")
PROSE: Final = _split("""
Nobody expected the tide to turn so late that evening. | The harbour master counted the boats twice and sighed. |
By morning the square smelled of bread and wet stone. | Children lined the quay with paper flags. |
It had rained since Sunday, and the cellar had begun to hum. | Two geese followed the postman all the way uphill. |
The committee will meet again once the snow has melted. | A spokesman declined to say where the giraffe had gone. |
Most residents shrugged and went on mending their nets. | The bell rang eleven times, though it was barely nine. |
Prices fell by a third after the second delivery. | She keeps the original drawings in a biscuit tin. |
Engineers tightened the last bolt shortly before dusk. | The recipe calls for patience and a heavy lid. |
Every lantern on the pier was lit by hand. | Visitors are asked to leave their umbrellas outside.
""")
MORE: Final = _split("""
Carry on reading | Whole story | Behind the scenes | See the photographs | Earlier chapters | Corrections |
Ask the author
""")

SUBJECTS: Final = _split("""
Minutes from the allotment meeting | Your kayak is ready | Plumber arrives Thursday | Fwd: lost violin case |
Re: scaffolding quote | Choir practice moved to eight | Invoice for beehives | Photos from the regatta |
Seedlings to give away | Roof tiles on order | Ticket for the night ferry | Keys under the flowerpot |
Recipe you wanted | Van hire confirmed | Rota for the lighthouse | Parcel left with a neighbour | Chess on Friday? |
Draft of the eulogy | Receipt from the sawmill | Bring a torch tonight
""")
MAILBOXES: Final = _split("""
Postbox | Undelivered | Half-written | Dispatched | Rubbish | Allotment | Choir | Lighthouse rota | Receipts |
Neighbours | Regatta | Kept for good
""")
MAIL_ACTIONS: Final = _split("""
Write a letter | Answer | Pass along | Put away | Mark unread | Move to drawer | Tear up
""")

PREFERENCES: Final = _split("""
Dim after sunset | Chime on arrival | Ask before quitting | Keep a paper trail | Round the corners | Show tide tables |
Wake on movement | Blur the wallpaper | Whisper at night | Spell out numerals | Count syllables | Hide sleepy tabs |
Warn about drafts | Allow stray cookies | Mirror the handset | Rumble on typing | Speak the headlines |
Stay awake while plugged in | Fade between songs | Guess the weather | Lend the printer | Forget after an hour |
Follow the moon | Fetch over copper wire
""")
PREFERENCE_PAGES: Final = _split("""
Appearance | Chimes | Handset | Wallpaper | Typing | Printers | Parental lock | Wardrobe | Batteries | Doorbell |
Radiators | Lanterns | Pets | Shutters
""")
CHOICES: Final = _split("""
Whisper | Murmur | Brisk | Leisurely | Parchment | Midnight | Sepia | Charcoal | Fortnightly | Hourly | Sparse | Roomy |
Left-handed | Imperial | Metric | Lunar
""")

FIGURES: Final = _split("""
Loaves sold | Beds watered | Nets mended | Lanterns lit | Ferries sailed | Letters posted | Hives checked |
Bricks laid | Miles rowed | Seats taken | Kettles boiled | Geese counted
""")
COLUMN_NAMES: Final = _split("""
Vessel | Berth | Cargo | Skipper | Tonnage | Sailing | Harbour | Draught | Parish | Acreage | Breed | Vintage | Cellar |
Platform | Gauge | Warden | Keeper | Yield
""")
VESSELS: Final = _split("""
Puffin | Grey Heron | Lady Marjoram | Sea Otter | Thistledown | Kittiwake | Old Faithful | Merry Widow |
Northern Belle | Gannet | Silver Eel | Barnacle | Windhover | Cormorant | Plover | Sandpiper | Storm Petrel | Bluebell |
Foxglove | Curlew | Turnstone | Razorbill
""")
PORTS: Final = _split("""
Tobermory | Lerwick | Ullapool | Bergen | Esbjerg | Stromness | Honfleur | Cuxhaven | Faro | Valletta | Ystad | Turku |
Kinsale | Whitby | Falmouth | Oban | Scalloway | Zeebrugge
""")
CONDITIONS: Final = _split("""
Moored | At anchor | Under way | In dry dock | Awaiting pilot | Unloading | Laid up | Sunk | Bound home | Quarantined
""")
TABLE_ACTIONS: Final = _split("""
Register vessel | Print ledger | Hail skipper | Weigh cargo | Fetch manifest | Strike off | Assign berth |
Sound the horn
""")

CHAPTERS: Final = _split("""
Unpacking | Sharpening blades | Grease and oil | Winding the spring | Seasoning timber | Choosing a chisel |
Glue and clamps | Dovetails | Mortise and tenon | Sanding | Varnish | Hinges | Hanging a door | Drawer runners |
Troubleshooting creaks | Glossary | Workshop layout | Safety goggles | Measuring twice | Carving spoons |
Steam bending | Inlay | Upholstery | Turning bowls
""")
CODE: Final = _split("""
lathe.spin(rpm=900) | chisel = Chisel(width=12) | for plank in stack: | plane.shave(plank, depth=0.2) |
if grain.reversed: | return dovetail(tails=5) | clamp.hold(joint, hours=6) | varnish.coat(drawer)
""")

ENTRIES: Final = _split("""
Skipper's name | Boat length | Home harbour | Sail number | Crew size | Arrival tide | Next of kin | Hull colour |
Radio call sign | Engine power | Mooring preference | Provisions | Allergies | Shoe size | Godparent | Birthplace |
Maiden name | Plot number | Parish | Favourite hymn | Number of beehives | Dog's name | Latitude | Longitude |
Barometer reading | Lantern oil
""")
PLEDGES: Final = _split("""
I can swim | I have read the tide tables | Lend me oars | Wake me at dawn | Share my table | I will feed the cat |
Bring a stretcher | Reserve a bunk | Post me the almanac | Store my bicycle | I am bringing a dog | Add a packed lunch
""")
BERTHS: Final = _split("""
Hammock | Bunk | Captain's cabin | Deck chair | Lower berth | Upper berth | Tent on deck | Stateroom
""")
FORM_ACTIONS: Final = _split("""
Weigh anchor | Abandon ship | Stow for later | Hoist the sails | Read the charter | Rub it out | Whistle for help |
Row back
""")

QUERIES: Final = _split("""
how to mend a kite | ferry timetable winter | nearest blacksmith | why do geese honk | growing rhubarb |
repair an accordion | tide tables whitby | thatching a roof
""")
FINDINGS: Final = _split("""
Mending kites with rice paper | The Winter Ferry Almanac | Blacksmiths of the Fens | Geese and their grammar |
Rhubarb for beginners | Accordion bellows, patched | Thatchers' Guild handbook | Reading the tide by ear |
Kite festival gallery | Museum of small bridges | A field guide to puddles | Soup for forty sailors |
Hedge laying explained | The lost canal of Marlow | Weathervanes worth a detour | Knots you can trust |
Cider presses for hire | Stargazing from rooftops
""")
SEARCH_TABS: Final = _split("""
Everything | Pictures | Almanacs | Recordings | Maps and charts | Tittle-tattle | Bargains | Libraries
""")

TUNES: Final = _split("""
Barcarolle at Low Tide | Clockwork Waltz | Nine Lanterns | Hush, Old Harbour | Marzipan March | Foghorn Lullaby |
The Tinker's Reel | Snow on the Viaduct | Copper Moon | Paper Albatross | Minuet for Geese | Sleepless Sawmill |
Cartographer's Blues | Rhubarb Rag | Under the Orrery | Salt and Cedar
""")
MIXES: Final = _split("""
Rainy kitchen | Long voyage | Sunday bells | Fiddle and bow | Campfire hush | Brass parade | Midnight tram |
Harvest dance | Early piano | Sea shanties
""")
KNOBS: Final = _split("""
Loudness | Treble | Bass drone | Reverb | Tempo | Stereo width | Warmth | Sharpness | Grain | Exposure | Opacity |
Feathering | Tilt | Hue shift | Brush width | Smudge
""")

MENUS: Final = _split("""
Canvas | Brushes | Palette | Easel | Guides | Darkroom | Lens | Stencils | Texture | Gallery | Frames | Workbench
""")
MENU_LINES: Final = _split("""
Stretch canvas | Mix a new pigment | Borrow a brush | Straighten horizon | Erase smudges | Frame and sign |
Hang in gallery | Scrape palette | Flip easel | Soften shadows | Sharpen edges | Develop negative | Trace outline |
Age the varnish
""")

CARDS: Final = _split("""
Order roof tiles | Paint the boathouse | Book the brass band | Fix squeaky gate | Count the lifejackets |
Print raffle tickets | Clean the chimney | Borrow trestle tables | Repair weathervane | Label jam jars |
Sweep the jetty | Invite the mayor | Sew new flags | Bake forty scones | Tune the organ | Varnish the oars
""")
LANES: Final = _split("""
Someday | Waiting on glue | Underway | Drying | Finished off | Shelved | This fortnight | Needs a ladder
""")
EVENTS: Final = _split("""
Dentist | Choir | Regatta | Tide survey | Bee swarm | Ferry to Oban | Jam tasting | Kiln firing | Scout hike |
Pub quiz | Lamp service | Puppet show
""")
TITLES: Final = _split("""
Widely shared | A letter each Sunday | Your shelves | My almanacs | In these pages | Made from | Freshly carved |
Nearby moorings | Gathered dust | Best of the barrel | Pinned to the mast | Old friends | Left on the doorstep |
Talk of the quay | Straight off the boat | Under the stairs
""")
SORTINGS: Final = _split("""
Arrange by | Heap up by | Weigh by | Line up by | Stack by | Rank according to
""")
DIALOGS: Final = _split("""
Cast off without saving? | Scuttle this voyage? | Lower the drawbridge? | Borrow the lighthouse key? |
Unhook all trailers? | Empty the compost heap?
""")
REFUSALS: Final = _split("""
Stay ashore | Rather not | Hold fast | Ask me at dawn | Turn around
""")
ASSENTS: Final = _split("""
Cast off | Scuttle it | Lower away | Take the key | Do unhook
""")
FOOTERS: Final = _split("""
Small print | Press office | Our workshop | Gift tokens | Delivery by cart | Letters to us | Vacancies | Stockists |
Shipping almanac | Crumbs and cookies | Imprint | Wholesale
""")
HELPS: Final = _split("""
Rouse the clerk | Lost property | Guided tour | Say hello | Sign the guestbook | Members' entrance | Join the guild |
Slip away
""")

# Named where nothing on a page is called so; none of their words stands in a group above.
ABSENT: Final = _split("""
Zinc bathtub | Tundra permits | Xylophone lessons | Jigsaw rental | Harpoon safety | Eclipse glasses | Dormitory rules |
Hydrant inspection | Trombone sheet | Falcon handler | Geyser webcam | Magnolia syrup | Cyclone shelter |
Kerosene refund | Embroidery hoop | Gondola pass | Peninsula survey | Marathon bib | Sonnet contest | Umbrella deposit |
Biathlon scores | Lynx sighting | Helium balloon | Caravan insurance | Sherpa contact | Mandolin strings |
Pumpkin auction | Turbine status | Waffle iron | Yogurt culture | Orchid hotline | Cockpit checklist | Dragonfly pond |
Fjord cruise | Emerald ring | Windmill blueprint | Shipwreck salvage | Ballroom booking | Quartz sample |
Nectarine pie | Igloo rental | Opera subtitles | Tapir enclosure | Ukulele chords | Escalator outage |
Blizzard warning | Zeppelin hangar
""")
# fmt: on
