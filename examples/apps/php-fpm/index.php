<?php
header('Content-Type: text/plain');
echo 'Answered by ', PHP_SAPI, ' at ', parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH), "\n";
