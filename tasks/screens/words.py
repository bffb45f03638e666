"""What interfaces say: the English words and phrases that training screens are made of, by where they stand."""

from typing import Final


def _listed(block: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(block.replace("\n", "|").strip("|").split("|")))


VERBS: Final[tuple[str, ...]] = _listed("""
Add|Apply|Approve|Archive|Assign|Attach|Back up|Block|Book|Browse|Build|Call|Cancel|Change|Check|Choose|Clear|Clone
Close|Collapse|Compare|Compose|Confirm|Connect|Continue|Convert|Copy|Create|Crop|Customize|Cut|Deactivate|Debug|Delete
Deploy|Disable|Discard|Disconnect|Dismiss|Donate|Download|Duplicate|Edit|Eject|Email|Empty|Enable|Enroll|Enter|Erase
Exit|Expand|Explore|Export|Extend|Filter|Find|Finish|Fix|Follow|Format|Forward|Generate|Get|Go to|Group|Hide|Ignore
Import|Insert|Inspect|Install|Invite|Join|Jump to|Keep|Launch|Leave|Link|Load|Lock|Manage|Mark|Maximize|Merge|Minimize
Modify|Move|Mute|Open|Order|Paste|Pause|Pay|Pin|Play|Post|Preview|Print|Process|Publish|Pull|Push|Rate|Reconnect
Record|Redo|Refresh|Reject|Release|Reload|Remove|Rename|Renew|Repeat|Replace|Reply|Report|Request|Rerun|Resend|Reserve
Reset|Resize|Resolve|Restart|Restore|Resume|Retry|Return|Revert|Review|Revoke|Rotate|Run|Save|Scan|Schedule|Select
Sell|Send|Set|Share|Show|Shuffle|Skip|Snooze|Sort|Split|Stage|Star|Start|Stop|Store|Stream|Submit|Suspend|Swap|Sync
Tag|Test|Track|Transfer|Translate|Turn off|Undo|Unfollow|Ungroup|Uninstall|Unlock|Unmute|Unpin|Update|Upgrade|Upload
Use|Validate|View|Vote|Watch|Withdraw|Zip|Zoom in|Zoom out
""")
NOUNS: Final[tuple[str, ...]] = _listed("""
access|account|activity|ad|addon|address|agenda|agreement|alarm|album|alert|alias|amount|answer|app|appointment
article|artist|asset|attachment|audio|author|avatar|backup|badge|balance|banner|basket|batch|bill|block|board|body
bookmark|boot|branch|brand|bucket|budget|bug|bundle|cache|calendar|call|camera|campaign|card|case|category|certificate
change|channel|chapter|chart|chat|checklist|city|class|client|cluster|code|collection|color|column|comment|commit
company|component|condition|connection|console|contact|container|content|contract|conversation|cookie|copy|country
coupon|course|cover|credit|currency|cursor|customer|dashboard|data|database|date|deal|default|delivery|deposit|design
desk|device|diagram|dialog|directory|discount|discussion|disk|display|document|domain|draft|drive|driver|duration
editor|effect|element|email|employee|engine|entry|environment|error|event|expense|export|extension|fabric|feature|feed
fee|file|filter|flight|folder|font|footer|form|format|forum|frame|function|game|gateway|gift|goal|graph|grid|group
guest|guide|header|history|holiday|host|hotel|icon|identity|image|inbox|index|input|insight|invoice|issue|item|job
journal|key|keyboard|label|language|layer|layout|lead|lesson|letter|level|library|license|limit|line|link|list|loan
location|log|logo|machine|mail|manager|map|margin|market|media|meeting|member|menu|message|method|metric|milestone
mode|model|module|monitor|month|mouse|movie|music|name|network|node|note|notice|number|object|offer|office|option
order|organization|owner|package|page|panel|parameter|parcel|partner|password|patch|path|pattern|payment|payroll
people|permission|phone|photo|pipeline|plan|platform|player|playlist|plugin|podcast|policy|poll|port|portfolio
position|post|preset|price|printer|priority|privacy|process|product|profile|program|progress|project|prompt|property
provider|proxy|purchase|query|question|queue|quota|quote|range|rate|rating|receipt|recipe|record|refund|region|release
reminder|rent|report|repository|request|resource|response|result|revenue|review|reward|role|room|root|route|row|rule
salary|sale|sample|schedule|schema|scope|screen|script|season|section|sector|security|segment|selection|sender|series
server|service|session|setting|setup|shape|share|shift|shipment|shop|shortcut|sidebar|signal|signature|site|size|slide
snapshot|snippet|song|sound|source|space|speaker|speed|sprint|stage|statement|station|status|step|stock|storage|story
stream|street|style|subject|subscription|summary|supplier|support|survey|switch|symbol|system|table|tag|target|task
tax|team|template|term|terminal|test|text|theme|thread|ticket|tile|time|timer|title|token|tool|toolbar|topic|track
traffic|transaction|transfer|translation|trial|trigger|trip|type|unit|update|upload|usage|user|value|variable|vendor
version|video|view|visit|visitor|voice|volume|voucher|wallet|warehouse|warning|webhook|website|week|widget|width
window|wishlist|word|workflow|workspace|year|zone
""")
ADJECTIVES: Final[tuple[str, ...]] = _listed("""
Active|Additional|Advanced|All|Annual|Available|Average|Basic|Blank|Bold|Bright|Business|Closed|Cloud|Common|Compact
Completed|Current|Custom|Daily|Dark|Default|Detailed|Digital|Direct|Done|Dynamic|Empty|Enabled|Estimated|External
Extra|Failed|Fast|Favorite|Featured|Final|First|Flexible|Free|Full|Future|General|Global|Hidden|High|Incoming|Internal
Invalid|Large|Last|Latest|Legal|Light|Linked|Live|Local|Long|Low|Main|Manual|Maximum|Medium|Minimum|Missing|Mobile
Monthly|My|Native|New|Next|Official|Offline|Old|Online|Open|Optional|Original|Other|Outgoing|Paid|Partial|Pending
Personal|Popular|Previous|Primary|Private|Public|Quick|Random|Raw|Read only|Recent|Related|Remote|Required|Secondary
Secure|Selected|Shared|Short|Similar|Simple|Small|Smart|Social|Special|Standard|Static|Strong|Suggested|Temporary
Third|Top|Total|Trusted|Unknown|Unlimited|Unread|Upcoming|Urgent|Used|Valid|Verified|Virtual|Weekly|Wide|Yearly
""")
MENU_BAR: Final[tuple[str, ...]] = _listed("""
File|Edit|View|Insert|Format|Tools|Window|Help|Selection|Go|Run|Terminal|Table|Data|Image|Layer|Select|Filter
Bookmarks|History|Project|Build|Debug|Refactor|Navigate|Code|Analyze|Git|Messages|Tabs|Favorites|Playback|Media|Audio
Video|Subtitle|Options|Actions|Settings|Search|Document|Arrange|Slide Show|Transitions|Review|References|Mailings|Draw
Colors
""")
MENU_ENTRIES: Final[tuple[str, ...]] = _listed("""
New file|New window|New folder|New tab|New private window|New from template|Open...|Open recent|Open folder...|Save
Save as...|Save all|Save a copy|Export as PDF|Page setup...|Print...|Print preview|Close tab|Close window|Close all
Reopen closed tab|Quit|Exit|Undo|Redo|Cut|Copy|Paste|Paste special|Paste without formatting|Delete|Duplicate
Select all|Deselect|Find...|Find next|Find and replace|Replace...|Go to line...|Word count|Spell check|Preferences
Zoom in|Zoom out|Actual size|Fit to width|Full screen|Toggle sidebar|Show toolbar|Show status bar|Show hidden files
Show line numbers|Word wrap|Split editor|Command palette|Developer tools|View source|Inspect element|Task manager
Extensions|Downloads|Clear history|Bookmark this page|Manage bookmarks|Import bookmarks|Rename...|Properties
Move to trash|Empty trash|Create shortcut|Open with...|Copy path|Copy link|Send to|Share...|Compress|Extract here
Sort by name|Sort by date|Sort by size|Group by type|Large icons|Small icons|List view|Details|Refresh|Add bookmark
Add to favorites|Mark as read|Mark as unread|Mark as spam|Reply all|Forward|Archive|Snooze|Label as|Mute thread
Block sender|Report phishing|Insert row above|Insert row below|Insert column|Delete row|Merge cells|Freeze panes
Format cells...|Bold|Italic|Underline|Strikethrough|Subscript|Superscript|Align left|Align right|Center|Justify
Line spacing|Bullets|Numbering|Increase indent|Decrease indent|Clear formatting|Insert image|Insert link|Insert table
Insert chart|Page break|Header and footer|Footnote|Track changes|Accept all|Reject all|Compare documents|Group|Ungroup
Bring to front|Send to back|Flip horizontal|Flip vertical|Rotate left|Rotate right|Crop|Resize canvas|Invert colors
Sharpen|Blur|Start debugging|Step over|Step into|Toggle breakpoint|Run tests|Build project|Clean project|Commit...
Push|Pull|Fetch|Stash changes|Switch branch|Keyboard shortcuts|Release notes|Check for updates|Report an issue
Welcome guide|About|Minimize|Zoom|Always on top|Next window|Play next|Add to queue|Shuffle|Repeat one|Equalizer
Audio track|Aspect ratio
""")
PLACES_TO_GO: Final[tuple[str, ...]] = _listed("""
Inbox|Drafts|Sent|Outbox|Spam|Trash|Starred|Important|Snoozed|Archive|All mail|Contacts|Calendar|Tasks|Notes|Files
Photos|Music|Videos|Documents|Desktop|Pictures|Public|Templates|Recent|Favorites|Shared with me|My files|Network
Trash bin|Overview|Dashboard|Analytics|Reports|Insights|Customers|Orders|Products|Inventory|Discounts|Marketing
Campaigns|Audience|Segments|Automation|Integrations|Billing|Invoices|Payments|Payouts|Subscriptions|Taxes|Usage|Limits
API keys|Webhooks|Logs|Events|Monitoring|Alerts|Incidents|Deployments|Environments|Secrets|Pipelines|Issues
Pull requests|Discussions|Wiki|Releases|Packages|Branches|Tags|Milestones|Boards|Backlog|Sprints|Roadmap|Members|Teams
Roles|Permissions|Audit log|Security|Privacy|Notifications|Appearance|Accessibility|Keyboard|Mouse|Display|Sound|Power
Storage|Bluetooth|Wi-Fi|Printers|Language|Region|Date and time|Users|Accounts|Updates|Backup|About|Help|Feedback
Support|Community|Tutorials|Documentation|Examples|Blog|Press|Careers|Investors|Partners|Affiliates|Sitemap|Contact
Home|Explore|Trending|Subscriptions|Library|History|Watch later|Liked videos|Playlists|Podcasts|Radio|Browse|Albums
Artists|Songs|Genres|Live|Movies|Series|Sports|News|World|Politics|Business|Technology|Science|Health|Culture|Opinion
Travel|Food|Style|Education|Weather|Markets|Local|Arts|Books|Games|Kids|Deals|New arrivals|Best sellers|Clearance
Women|Men|Shoes|Bags|Jewelry|Furniture|Kitchen|Bathroom|Bedroom|Garden|Tools|Toys|Electronics|Phones|Laptops|Tablets
Cameras|Headphones|Televisions|Appliances|Groceries|Fruit|Vegetables|Bread|Dairy|Meat|Drinks|Snacks|Frozen|Household
Flights|Hotels|Cars|Trains|Buses|Cruises|Packages|Destinations|My trips|Check-in|Flight status|Baggage|Lounges|Miles
Savings|Checking|Credit cards|Loans|Mortgages|Insurance|Investments|Transfers|Statements|Exchange rates|Budget|Goals
Courses|Lessons|Quizzes|Grades|Assignments|Classmates|Certificates|Timetable|Exams|Lectures|Patients|Appointments
""")
ACTIONS: Final[tuple[str, ...]] = _listed("""
OK|Yes|No|Maybe later|Not now|Got it|Allow|Deny|Accept all|Reject all|Agree|Disagree|Learn more|Details|More|Less
Show more|Show less|Load more|See all|View all|View details|Read article|Watch trailer|Listen now|Play all|Follow
Message|Add friend|Add to wishlist|Add to bag|Add to playlist|Add new|Add row|Add column|Add comment|Add photo|Add tag
Add item|Add user|Add task|Apply now|Apply filters|Clear all|Clear filters|Reset filters|Sort by price|Compare
Compare prices|Check availability|Check in|Check out|Book now|Reserve a table|Request a quote|Get directions
Get the app|Get offer|Claim reward|Redeem|Redeem code|Donate now|Donate|Vote|Rate us|Write a review|Leave feedback
Ask a question|Contact seller|Make an offer|Place bid|Pay bill|Pay later|Transfer money|Deposit|Withdraw|Top up
Send invoice|Issue refund|Print label|Track package|Return item|Reorder|Buy again|Empty cart|Update cart
Proceed to payment|Edit cart|Save draft|Save for later|Publish|Unpublish|Schedule post|Preview|Discard changes
Discard draft|Keep editing|Revert|Rename|Replace|Insert|Browse files|Choose file|Take photo|Scan code|Import data
Export data|Export CSV|Download report|Download all|Copy code|Copy link|Share link|Invite people|Invite friends
Join meeting|Join call|Start meeting|End call|Mute all|Start recording|Share screen|Raise hand|Leave room|New message
New chat|New project|New order|New event|New document|Create folder|Create team|Create list|Create rule|Create issue
Assign to me|Close issue|Reopen|Merge|Approve|Request changes|Resolve|Deploy|Roll back|Run now|Run query|Run again
Stop all|Restart now|Restart later|Install now|Install update|Uninstall|Upgrade plan|Change plan|Cancel plan|Renew
Start now|Start test|Start course|Enroll now|Next lesson|Previous page|Next page|Finish quiz|Submit answer
Check answer|Show hint|Try demo|Test connection|Connect|Disconnect|Reconnect|Pair device|Sync now|Back up now|Restore
Scan now|Fix all|Ignore|Dismiss|Retry|Refresh|Reload|Generate|Regenerate|Translate|Summarize|Verify now|Unlock
Lock screen|Shut down|Sleep|Switch user|Turn on|Turn off|Set up|Set as default|Manage|Customize|Choose plan|Select all
Choose seats|Choose color|Change photo|Change email|Change address|Change date|Remove photo|Remove item|Delete file
Delete forever|Move to folder|Mark all as read|Unsubscribe|Report abuse|Block user|Sign out|Sign in with email
Use a passkey
""")
FIELD_LABELS: Final[tuple[str, ...]] = _listed("""
Search|Search products|Search mail|Search messages|Search the docs|Filter by name|Find a city|Where to?|Going to
Leaving from|Departure|Return date|Check-in date|Check-out date|Guests|Rooms|Adults|Children|Passengers
Passport number|Nationality|Gender|Birthday|Maiden name|Middle name|Title|Salutation|House number|Apartment|District
Province|County|Landmark|PO box|Work email|Backup email|Mobile|Fax|Home phone|Emergency contact|Employer|Occupation
Annual income|Account number|Account holder|Bank name|Routing number|IBAN|Swift code|Tax ID|VAT number|Amount|Currency
Reference|Purpose|Memo|Card holder|Gift card number|Promo code|Voucher|Delivery notes|Delivery date|Order note
Tracking number|Serial number|Model number|Product name|Description|Short description|Category|Brand|Price|Sale price
Cost|SKU|Article number|Stock|Weight|Height|Width|Depth|Length|Color|Size|Material|Project name|Task name|Assignee
Due date|Start date|End date|Start time|End time|Duration|Priority|Estimate|Labels|Milestone|Branch name
Commit message|Repository URL|Server address|Host|Port|Database|Schema|User ID|Client ID|Client secret|API key
Access token|Callback URL|Webhook URL|Domain|Subdomain|IP address|Subnet mask|Gateway|DNS server|Proxy|Timeout
Max retries|Page size|File name|Folder name|Path|Search in|Replace with|Find what|To|Cc|Bcc|From|Reply to|Event name
Event location|Notes|Agenda|Question|Answer|Your review|Review title|Comment|Headline|Summary|About me|Skills|School
Degree|Graduation year|Course code|Student ID|Symptoms|Doctor|Allergies|Insurance number|Policy number|License plate
Mileage|Vehicle|Room number|Meeting ID|Passcode|Display text|Link text|Alt text|Caption|Keywords|Slug|Author|Publisher
ISBN|Year|Genre|Artist|Album|Track title|Playlist name|Recipe name|Servings|Ingredients|Target weight
""")
SETTINGS: Final[tuple[str, ...]] = _listed("""
Airplane mode|Wi-Fi|Bluetooth|Location services|Night light|Auto brightness|Do not disturb|Battery saver|Mobile data
Hotspot|Automatic updates|Auto save|Auto play|Auto correct|Spell checking|Smart quotes|Word wrap|Line numbers
Show minimap|Show hidden files|Show file extensions|Show previews|Show avatars|Show online status|Show read receipts
Show seconds|Use 24-hour clock|Use metric units|Use system theme|Use proxy server|Use hardware acceleration
Use less data|High contrast|Large text|Reduce motion|Reduce transparency|Screen reader|Closed captions|Mono audio
Sticky keys|Invert scrolling|Tap to click|Natural scrolling|Vibrate on ring|Silent mode|Keyboard sounds|Email alerts
Push alerts|Text message alerts|Desktop alerts|Daily digest|Monthly newsletter|Marketing emails|Order updates
Price alerts|Security alerts|Login alerts|Mentions only|New followers|Direct messages|Group invites|Friend requests
Comments on posts|Public profile|Private account|Allow comments|Allow tagging|Allow downloads|Allow cookies
Allow pop-ups|Block trackers|Block ads|Safe search|Parental controls|Require approval|Require password|Face unlock
Fingerprint unlock|Lock after five minutes|Encrypt backups|Back up photos|Sync contacts|Sync bookmarks|Sync passwords
Offline access|Remember window size|Restore tabs|Open links in new tab|Ask before closing|Warn before quitting
Confirm before delete|Start on login|Minimize to tray|Always on top|Check spelling|Include subfolders|Match case
Whole words|Regular expression|Only unread|Only images|In stock only|Free shipping|On sale|Pet friendly|Free parking
Free cancellation|Breakfast included|Swimming pool|Direct flights only|Flexible dates|Window seat|Vegetarian|Vegan
Gluten free|Extra cheese|Spicy|Takeaway|Contactless delivery|Insurance included|Round trip|One way|Economy|Premium
First class|Standard delivery|Express delivery|Store pickup|Credit card|Debit card|Bank transfer|Cash|Gift card
Monthly billing|Yearly billing|Never|Always|Every day|Every week|Every month|Small|Medium|Large|Extra large|Low|High
Easy|Normal|Hard|Beginner|Intermediate|Expert|Portrait|Landscape|Ascending|Descending|Everyone|Friends only|Only me
""")
HEADLINES: Final[tuple[str, ...]] = _listed("""
Good morning|Good evening|Welcome to your workspace|What is new|What can we help with?|How it works|Why choose us
Our story|Our team|Meet the team|Latest news|Top stories|Editor's picks|Most read|Breaking news|Around the world
In depth|Recent activity|Recent files|Recent orders|Recently viewed|You may also like|Customers also bought
Customer reviews|Featured products|Deals of the day|Shop by category|Your cart|Your cart is empty|Order confirmed
Thank you for your order|Payment method|Delivery options|Review your order|Track your order|Returns|Gift ideas
Summer sale|Winter collection|Popular destinations|Plan your trip|Find your next stay|Choose your room|Your booking
Trip details|Travel updates|Account overview|Total balance|Monthly spending|Recent transactions|Upcoming payments
Savings goals|Market summary|Watchlist|Team calendar|Today|Yesterday|This week|Next week|Last month|Upcoming events
Your tasks|Overdue|In progress|Completed|To do|System status|All systems operational|Server load|Error rate
Response time|Active users|Page views|Conversion rate|Revenue|New customers|Top products|Traffic sources|Build history
Open issues|Code review|Test results|Release notes|Getting started|Quick start|Installation|Configuration|Reference
Frequently asked questions|Troubleshooting|Change log|Privacy settings|Notification settings|Email preferences
Connected devices|Linked accounts|Danger zone|Display settings|Network settings|Storage usage|Software update
About this device|Now playing|Up next|New releases|Made for you|Top charts|Continue watching|Because you watched
Your library|Unsaved changes|Delete this file?|Are you sure?|Something went wrong|Connection lost|Session expired
Update available|Low disk space|Permission needed|Confirm your choice|Before you go|Sign in required|Choose a plan
Select a file|Share this page|Invite your team|Leave a comment|Page not found|No results
""")
FIRST_NAMES: Final[tuple[str, ...]] = _listed("""
Ada|Alan|Alice|Amir|Anna|Anton|Aya|Ben|Bianca|Carla|Carlos|Chen|Clara|Daniel|David|Diana|Elena|Emil|Emma|Erik|Eva
Fatima|Felix|Fiona|Frank|George|Grace|Hana|Hannah|Henry|Ivan|Ines|Jack|James|Jana|Jonas|Julia|Karim|Karen|Kim|Kofi
Laura|Leo|Lena|Liam|Lucas|Lucy|Maja|Marco|Maria|Mark|Martin|Maya|Mei|Mia|Mila|Mohamed|Nadia|Nina|Noah|Nora|Oliver|Olga
Omar|Oscar|Paul|Pedro|Peter|Priya|Rachel|Rahul|Rosa|Ruth|Sam|Sara|Simon|Sofia|Stefan|Susan|Tara|Thomas|Tim|Tom|Uma
Vera|Victor|Wei|Yara|Yuki|Zara|Zoe
""")
LAST_NAMES: Final[tuple[str, ...]] = _listed("""
Adams|Ahmed|Allen|Andersen|Bauer|Becker|Bell|Berg|Brown|Clark|Cohen|Cooper|Costa|Cruz|Davis|Diaz|Dubois|Evans|Fischer
Flores|Foster|Garcia|Gomez|Gray|Green|Gupta|Hall|Hansen|Harris|Hill|Hoffmann|Hopper|Hughes|Ito|Jackson|Jensen|Johnson
Jones|Kaya|Keller|Kelly|Khan|Kim|King|Klein|Kowalski|Kumar|Larsen|Lee|Lewis|Lin|Lopez|Lovelace|Martin|Meyer|Miller
Moore|Moreau|Morris|Murphy|Nagy|Nguyen|Novak|Okafor|Olsen|Park|Patel|Perez|Petrov|Phillips|Reed|Rivera|Roberts|Rossi
Russo|Sato|Schmidt|Scott|Silva|Singh|Smith|Suzuki|Tanaka|Taylor|Turner|Walker|Wang|Weber|White|Wilson|Wright|Yamada
Young|Zhang
""")
CITIES: Final[tuple[str, ...]] = _listed("""
Amsterdam|Athens|Auckland|Bangkok|Barcelona|Beijing|Berlin|Bogota|Boston|Brussels|Budapest|Cairo|Cape Town|Chicago
Copenhagen|Dakar|Dallas|Delhi|Denver|Dubai|Dublin|Geneva|Hamburg|Hanoi|Helsinki|Hong Kong|Istanbul|Jakarta|Kyoto|Lagos
Lima|Lisbon|London|Los Angeles|Lyon|Madrid|Manila|Melbourne|Mexico City|Miami|Milan|Montreal|Moscow|Mumbai|Munich
Nairobi|Naples|New York|Osaka|Oslo|Paris|Porto|Prague|Riga|Rome|San Diego|Santiago|Seattle|Seoul|Shanghai|Singapore
Sofia|Stockholm|Sydney|Tallinn|Tokyo|Toronto|Venice|Vienna|Warsaw|Zurich|Brazil|Canada|Chile|Denmark|Egypt|France
Germany|Greece|India|Italy|Japan|Kenya|Norway|Peru|Poland|Portugal|Spain|Sweden|Turkey|Ukraine|United Kingdom
United States
""")
PLAIN_WORDS: Final[tuple[str, ...]] = _listed("""
the|of|and|to|in|a|is|that|for|it|was|on|with|as|be|by|at|from|or|an|are|this|which|you|one|we|but|not|they|more|have
had|their|can|all|when|there|if|out|about|into|than|time|only|some|could|these|two|may|first|then|do|any|like|now|over
such|our|even|most|after|also|many|before|must|through|where|much|should|well|people|down|way|own|just|each|state
still|good|between|under|last|never|day|same|another|while|great|old|year|off|come|since|against|came|right|take|three
small|next|during|house|again|place|often|large|almost|number|found|water|light|better|second|early|later|enough
important|power|public|change|system|school|every|without|program|government|problem|group|country|report|study|level
research|area|members|local|service|simple|quickly|today|results|support|allow|provide|include|several|different
possible|results|morning|evening|river|mountain|forest|coffee|garden|window|machine|teacher|doctor|village|island
winter|summer|spring|company|market|price|growth|million|percent|quarter|increase|reached|announced|expected|according
analysts|workers
""")
BRAND_NAMES: Final[tuple[str, ...]] = _listed("""
Acme|Northwind|Lumen|Orbit|Maple|Harbor|Pixel|Nova|Zephyr|Fabrikam|Contoso|Globex|Initech|Umbra|Vertex|Quantic
Bluebird|Redwood|Silverline|Evergreen|Polaris|Atlas|Titan|Vega|Luna|Ember|Spark|Beacon|Summit|Cascade|Velvet|Nimble
Brightside
""")
COMMON_COLUMNS: Final[tuple[str, ...]] = _listed("""
Name|Date|Status|Type|Size|Amount|Price|Total|Owner|Modified|Created|Updated|ID|Email|Role|Country|City|Quantity
Priority|Due|Assignee|Version|Author|Branch|Duration|Result|Score|Rank|Time|Customer|Order|Product|Category|Stock
Rating|Balance|Change|Volume|Symbol|Account|Method|Path|Code|Host|Port|Region|CPU|Memory|Requests|Errors|Latency|Title
Year|Artist|Plays
""")
STATES: Final[tuple[str, ...]] = _listed("""
Active|Pending|Paid|Overdue|Shipped|Delivered|Canceled|Refunded|Draft|Published|Open|Closed|Merged|Passed|Failed
Running|Queued|Stopped|Online|Offline|Away|Busy|Approved|Rejected|In review|Blocked|Done|New|Expired|Trial|Admin
Editor|Viewer|Guest|Owner|Member|Low|Medium|High|Critical|Healthy|Degraded|Up|Down|Yes|No|Enabled|Disabled|Archived
Verified
""")
