# The services of the compatibility table: `service UNIT "PACKAGES" 'PROBE'`. The unit files are those of the
# packages, untouched. The probe is run by sh in the machine, again and again until it succeeds (30 s at most).
service nginx.service nginx-light "curl -fsSI http://127.0.0.1/ | grep -qi '^server: nginx'"
service apache2.service apache2 "curl -fsSI http://127.0.0.1/ | grep -qi '^server: apache'"
service redis-server.service redis-server '[ "$(redis-cli ping)" = PONG ]'
service postgresql@15-main.service postgresql "su postgres -s /bin/sh -c 'psql -Atc \"select 41+1\"' | grep -qx 42"
service mariadb.service mariadb-server "mariadb -Ne 'select 41+1' | grep -qx 42"
service memcached.service memcached "printf 'version\r\nquit\r\n' | nc -w 2 127.0.0.1 11211 | grep -q VERSION"
service ssh.service openssh-server 'nc -w 2 127.0.0.1 22 </dev/null | grep -q SSH-2.0'
service cron.service cron '[ -s /run/crond.pid ]'
service rsyslog.service rsyslog 'logger --udp --server 127.0.0.1 x; [ -n "$(ls /proc/$MAINPID/fd)" ]'
service haproxy.service haproxy "echo 'show info' | nc -U -w 2 /run/haproxy/admin.sock | grep -q '^Name: HAProxy'"
service dnsmasq.service dnsmasq 'dig +time=1 +tries=1 +short @127.0.0.1 localhost | grep -qx 127.0.0.1'
service chrony.service chrony "chronyc -n tracking | grep -q 'Reference ID'"
service unbound.service "unbound dns-root-data" 'dig +time=1 +tries=1 +short @127.0.0.1 localhost | grep -qx 127.0.0.1'
service postfix@-.service postfix "(sleep 1; printf 'QUIT\r\n') | nc -w 3 127.0.0.1 25 | grep -q '^220'"
service prometheus-node-exporter.service prometheus-node-exporter 'curl -fsS http://127.0.0.1:9100/metrics | grep -q ^node_'
service named.service bind9 'dig +time=1 +tries=1 +short @127.0.0.1 localhost | grep -qx 127.0.0.1'
service lighttpd.service lighttpd "curl -fsSI http://127.0.0.1/ | grep -qi '^server: lighttpd'"
service mosquitto.service mosquitto 'nc -z 127.0.0.1 1883'
service php8.2-fpm.service php8.2-fpm '[ -S /run/php/php8.2-fpm.sock ] && pgrep -x php-fpm8.2'
service tor@default.service tor 'nc -z 127.0.0.1 9050'
# Without a unit file of its own: systemd-sysv-generator makes one of /etc/init.d/slapd.
service slapd.service slapd 'nc -z 127.0.0.1 389'
