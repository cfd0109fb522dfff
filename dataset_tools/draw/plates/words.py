"""Small print of plates: countries, states, towns, dealers."""

from __future__ import annotations

# fmt: off
COUNTRY_CODES = (
    "D", "F", "I", "E", "GB", "UK", "NL", "B", "PL", "CZ", "SK", "A", "CH", "H", "RO", "BG", "HR",
    "SLO", "S", "N", "DK", "FIN", "P", "GR", "LT", "LV", "EST", "L", "IRL", "UA", "TR", "SRB",
    "BIH", "MK", "AL", "MNE", "MD", "RUS", "BR", "EU",
)
COUNTRIES = (
    "BRASIL", "ARGENTINA", "URUGUAY", "PARAGUAY", "CHILE", "COLOMBIA", "PERU", "MEXICO",
    "REPUBLICA", "ECUADOR", "BOLIVIA", "VENEZUELA", "PANAMA", "EUROPA", "REPUBLIC", "CANADA",
)
CAPTIONS = (
    "CALIFORNIA", "California", "Texas", "TEXAS", "FLORIDA", "NEW YORK", "Nevada", "Arizona",
    "GRAND CANYON STATE", "Sunshine State", "The Lone Star State", "Garden State", "OHIO",
    "Land of Lincoln", "ILLINOIS", "Michigan", "PURE MICHIGAN", "Virginia", "GEORGIA",
    "Washington", "Evergreen State", "Oregon", "UTAH", "Life Elevated", "Colorado", "ALASKA",
    "The Last Frontier", "Hawaii", "ALOHA STATE", "Maine", "Vacationland", "VERMONT",
    "Green Mountain State", "Massachusetts", "The Spirit of America", "New Hampshire",
    "LIVE FREE OR DIE", "PENNSYLVANIA", "visitPA.com", "Maryland", "DELAWARE", "The First State",
    "North Carolina", "First in Flight", "TENNESSEE", "Volunteer State", "Kentucky", "Alabama",
    "Missouri", "SHOW-ME STATE", "KANSAS", "Oklahoma", "New Mexico", "Land of Enchantment",
    "MONTANA", "Idaho", "Famous Potatoes", "Wyoming", "MINNESOTA", "10,000 lakes", "IOWA",
    "Wisconsin", "America's Dairyland", "ONTARIO", "Yours to Discover", "QUEBEC",
    "Je me souviens", "ALBERTA", "Wild Rose Country", "British Columbia", "Beautiful", "Manitoba",
    "NOVA SCOTIA", "SP - SAO PAULO", "RJ - RIO DE JANEIRO", "MG - BELO HORIZONTE",
    "PR - CURITIBA", "BRASIL", "RS - PORTO ALEGRE", "BA - SALVADOR", "SC - JOINVILLE",
    "GO - GOIANIA", "PE - RECIFE", "CE - FORTALEZA", "SP - CAMPINAS", "SP - SANTOS",
    "DF - BRASILIA", "ES - VITORIA", "PA - BELEM", "AM - MANAUS", "PR - LONDRINA",
    "MG - UBERLANDIA", "SP - OSASCO", "COLOMBIA", "BOGOTA D.C.", "MEDELLIN", "CHILE", "PERU",
    "MEXICO", "JALISCO", "CDMX", "BAILE ATHA CLIATH", "CORCAIGH", "AN MHI", "NSW", "VICTORIA",
    "QUEENSLAND", "Sunshine", "REPUBLICA ARGENTINA", "URUGUAY", "MONTEVIDEO", "PILIPINAS",
    "MATATAG", "STATE 2019",
)
DEALERS = (
    "AUTOHAUS MEIER", "Autohaus Schmidt GmbH", "www.auto-online.de", "AUTO CENTER",
    "Garage du Lac", "CITY MOTORS", "PREMIUM CARS", "Tel. 089 / 123 45 67", "02 41 - 55 66 77",
    "AUTOCENTRUM", "0800 555 1234", "www.motors.co.uk", "Concessionaria Roma",
    "Automoviles Garcia", "Auto Italia", "FAHRZEUGE ALLER ART", "car rental 24h",
    "Leasing & Service", "OPEL", "RENAULT", "BMW", "SKODA", "VOLKSWAGEN", "TOYOTA", "Ford",
    "HONDA", "AutoNation", "LEXUS OF SEATTLE", "HENDRICK", "Mazda", "(555) 123-4567", "ALUMNI",
    "UNIVERSITY", "JEEP", "DRIVE SAFELY", "CHEVROLET", "www.cars.com", "Automarkt Nord",
    "autobazar", "Bilia", "Louwman", "Arnold Clark", "samochody", "auto plus",
)
MONTHS = (
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
)
# fmt: on
